// The best of what the lanes offer: the highest order, of equals the lowest id. All lanes call and get it.
struct Ranked { order: u32, id: u32 }
var<workgroup> best_order: atomic<u32>;
var<workgroup> best_id: atomic<u32>;
var<workgroup> best: Ranked;

fn better(a: Ranked, b: Ranked) -> bool {
  return a.order > b.order || (a.order == b.order && a.id < b.id);
}

fn next_best(own: Ranked, lane: u32) -> Ranked {
  if (lane == 0u) {
    atomicStore(&best_order, 0u);
    atomicStore(&best_id, EVERYTHING);
  }
  workgroupBarrier();
  atomicMax(&best_order, own.order);
  workgroupBarrier();
  if (own.order == atomicLoad(&best_order)) { atomicMin(&best_id, own.id); }
  workgroupBarrier();
  if (lane == 0u) { best = Ranked(atomicLoad(&best_order), atomicLoad(&best_id)); }
  return workgroupUniformLoad(&best);
}
