// Counts and masses by bins in workgroup memory, and the bin where a limit is reached.
const PARTS = 32u;
var<workgroup> bin_counts: array<atomic<u32>, BINS>;
var<workgroup> bin_lows: array<atomic<u32>, BINS>;
var<workgroup> bin_highs: array<atomic<u32>, BINS>;
var<workgroup> part_sums: array<Sum, PARTS>;
var<workgroup> found: Found;

struct Sum { count: u32, mass: vec2u }
struct Found {
  bin: u32,
  before: Sum, // what the bins before it hold
  through: Sum, // with its own
  total: Sum,
}

const NO_LIMIT = Sum(0xffffffffu, vec2u(0xffffffffu));

// n, which compilers cannot see: short loops of barriers and 64-bit sums, unrolled, take a software GPU ten seconds to compile.
fn opaque(n: u32) -> u32 {
  return select(n, 0u, params.vocab == 0u);
}

fn plus(a: Sum, b: Sum) -> Sum {
  return Sum(a.count + b.count, wide_sum(a.mass, b.mass));
}

fn below(a: Sum, limit: Sum) -> bool {
  return a.count < limit.count && wide_less(a.mass, limit.mass);
}

fn bin_at(i: u32) -> Sum {
  return Sum(atomicLoad(&bin_counts[i]), vec2u(atomicLoad(&bin_lows[i]), atomicLoad(&bin_highs[i])));
}

fn clear_bins(lane: u32) {
  workgroupBarrier(); // what they held has been read
  for (var i = lane; i < opaque(BINS); i += LANES) {
    atomicStore(&bin_counts[i], 0u);
    atomicStore(&bin_lows[i], 0u);
    atomicStore(&bin_highs[i], 0u);
  }
  workgroupBarrier();
}

fn tally(bin: u32, mass: vec2u) {
  atomicAdd(&bin_counts[bin], 1u);
  if (any(mass != vec2u())) {
    let low = atomicAdd(&bin_lows[bin], mass.x);
    atomicAdd(&bin_highs[bin], mass.y + u32(low + mass.x < low));
  }
}

// The last bin that holds something and before which, `start` included, both sums lie below the limit. All lanes call and get it.
fn find_bin(start: Sum, limit: Sum, lane: u32) -> Found {
  workgroupBarrier(); // the bins are complete
  if (lane < PARTS) {
    var sum = Sum();
    for (var i = 0u; i < opaque(BINS / PARTS); i++) { sum = plus(sum, bin_at(lane * (BINS / PARTS) + (i + lane) % (BINS / PARTS))); } // each lane in another memory bank
    part_sums[lane] = sum;
  }
  workgroupBarrier();
  if (lane == 0u) {
    var part = 0u;
    var before = start;
    var total = start;
    for (var i = 0u; i < opaque(PARTS); i++) {
      if (part_sums[i].count > 0u && below(total, limit)) { part = i; before = total; }
      total = plus(total, part_sums[i]);
    }
    var result = Found(part * (BINS / PARTS), before, before, total);
    var sum = before;
    for (var i = part * (BINS / PARTS); i < opaque(part + 1u) * (BINS / PARTS); i++) {
      let one = bin_at(i);
      if (one.count > 0u && below(sum, limit)) { result = Found(i, sum, plus(sum, one), total); }
      sum = plus(sum, one);
    }
    found = result;
  }
  return workgroupUniformLoad(&found);
}
