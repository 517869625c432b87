// Sum and maximum over a workgroup of LANES invocations; every invocation gets the result. All of them must call.
const LANES = 64u;
var<workgroup> reduced: array<f32, LANES>;

fn workgroup_sum(value: f32, lane: u32) -> f32 {
  workgroupBarrier(); // the previous result has been read
  reduced[lane] = value;
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (lane < width) { reduced[lane] += reduced[lane + width]; }
  }
  workgroupBarrier();
  return reduced[0];
}

fn workgroup_max(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  reduced[lane] = value;
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (lane < width) { reduced[lane] = max(reduced[lane], reduced[lane + width]); }
  }
  workgroupBarrier();
  return reduced[0];
}
