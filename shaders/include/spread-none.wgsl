// Without subgroups every invocation reads for itself: GROUP is 1, and there is nobody to hand a quad to.
fn spread(value: vec4f, lane: u32) -> vec4f { return value; }
