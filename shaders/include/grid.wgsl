// The index of a workgroup in a grid that was split over x and y (see gridOf in src/kernels/kernel.ts); it may pass the count that was asked for.
fn flat_workgroup(id: vec3u, grid: vec3u) -> u32 {
  return id.x + id.y * grid.x;
}
