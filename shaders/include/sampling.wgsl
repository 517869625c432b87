// What the kernels of a sampler share. A score is held as its order: a u32 that grows with the float, 0 for a token that is forbidden.
const LANES = 256u;
const CHUNK = 2048u;     // tokens of a workgroup
const BINS = 1024u;      // of a histogram: the counts, then the masses' low words, then their high words, then the number of candidates
const HISTOGRAM = 3073u;

// Words of a sequence in `rows`.
const ROW = 12u;
const STEP = 0u;         // tokens chosen so far
const PROMPT = 1u;       // tokens of the prompt
const PEAK = 2u;         // order of the largest score
const LOW = 3u;          // order of the smallest score that top-k and top-p keep
const MEAN = 4u;         // f32: the mean drop, which is the entropy less log of the mass
const SPREAD = 5u;       // the largest key that typical sampling keeps
const BEFORE = 6u;       // count, mass low, mass high of the tokens better than every candidate
const TOTAL = 9u;        // mass low, mass high of all tokens in play
const CUTS = 11u;        // 1 if they are more than top-k keeps

// Words of a chunk in `peaks`: the largest order, the lowest id that has it, 1 where a NaN or +Infinity was met.
const PEAKS = 3u;

const EVERYTHING = 0xffffffffu;
const INFINITY = 0x7f800000u; // the bits of +Infinity as f32

fn order_of(x: f32) -> u32 {
  let bits = bitcast<u32>(select(x, 0.0, x == 0.0)); // one zero
  return select(bits | 0x80000000u, ~bits, (bits >> 31) == 1u);
}

// 0 for what is no number or infinite. WGSL may assume that there is neither, so they are told by their bits.
fn finite_order(x: f32) -> u32 {
  return select(order_of(x), 0u, (bitcast<u32>(x) & INFINITY) == INFINITY);
}

fn score_of(order: u32) -> f32 {
  return bitcast<f32>(select(~order, order & 0x7fffffffu, (order >> 31) == 1u));
}

// exp(-drop) in units of 2^-40, where the likeliest token has drop 0: sums of it are exact, so they do not depend on their order.
fn mass_of(drop: f32) -> vec2u {
  if (drop >= 28.0) { return vec2u(); }
  let scaled = exp(-drop) * 256.0;
  let whole = floor(scaled);
  return vec2u(u32((scaled - whole) * 4294967296.0), u32(whole));
}

// How badly a token fits, ascending in steps as fine as the scores': by likelihood, or by its surprise's distance from the entropy.
fn key_of(typical: bool, order: u32, peak: u32, mean: f32) -> u32 {
  if (typical) { return bitcast<u32>(abs(score_of(peak) - score_of(order) - mean)); }
  return peak - order;
}

// The same in 1024 steps.
fn bin_of(typical: bool, drop: f32, mean: f32) -> u32 {
  return u32(min(select(drop, abs(drop - mean), typical) * 32.0, 1023.0));
}
