// Element number → coordinates → place in a strided view of up to six axes (see src/kernels/strided.ts). Wants params.shape1 … shape5.
override RANK: u32 = 6;

// Coordinates of element i, axes aligned to the end: [0, …, 0, c_0, …, c_(RANK-1)].
fn coordinates(i: u32) -> array<u32, 6> {
  var at: array<u32, 6>;
  var rest = i;
  if (RANK > 1u) { at[5] = rest % params.shape5; rest /= params.shape5; } else { at[5] = rest; }
  if (RANK > 2u) { at[4] = rest % params.shape4; rest /= params.shape4; } else if (RANK == 2u) { at[4] = rest; }
  if (RANK > 3u) { at[3] = rest % params.shape3; rest /= params.shape3; } else if (RANK == 3u) { at[3] = rest; }
  if (RANK > 4u) { at[2] = rest % params.shape2; rest /= params.shape2; } else if (RANK == 4u) { at[2] = rest; }
  if (RANK > 5u) { at[1] = rest % params.shape1; at[0] = rest / params.shape1; } else if (RANK == 5u) { at[1] = rest; }
  return at;
}

fn place(at: array<u32, 6>, stride0: u32, stride1: u32, stride2: u32, stride3: u32, stride4: u32, stride5: u32) -> u32 {
  var sum = at[5] * stride5;
  if (RANK > 1u) { sum += at[4] * stride4; }
  if (RANK > 2u) { sum += at[3] * stride3; }
  if (RANK > 3u) { sum += at[2] * stride2; }
  if (RANK > 4u) { sum += at[1] * stride1; }
  if (RANK > 5u) { sum += at[0] * stride0; }
  return sum;
}
