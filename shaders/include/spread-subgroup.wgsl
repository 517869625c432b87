// Hands an invocation's quad to its neighbours through a subgroup operation.
fn spread(value: vec4f, lane: u32) -> vec4f { return subgroupShuffle(value, lane); }
