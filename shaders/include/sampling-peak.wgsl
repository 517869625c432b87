// The largest order of a sequence, from those of its chunks; all lanes call and get it.
var<workgroup> largest: atomic<u32>;

fn peak_of(row: u32, lane: u32) -> u32 {
  if (lane == 0u) { atomicStore(&largest, 0u); }
  workgroupBarrier();
  for (var i = lane; i < params.chunks; i += LANES) { atomicMax(&largest, peaks[(row * params.chunks + i) * PEAKS]); }
  workgroupBarrier();
  return atomicLoad(&largest);
}
