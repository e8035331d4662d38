// A fixed-point number of 16 bits; what they do not hold saturates.
fn value_at(index: u32) -> u32 { return u32(clamp(load_x(index), -32768, 32767)) & 0xffffu; }
