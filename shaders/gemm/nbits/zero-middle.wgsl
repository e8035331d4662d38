// Without zero points, the middle of the range stands for 0.
fn zero_of(column: u32, block: u32) -> f32 { return f32(1u << (BITS - 1u)); }
