// Zero points as floats, one for each block.
fn zero_of(column: u32, block: u32) -> f32 { return load_zeros(column * params.blocks + block); }
