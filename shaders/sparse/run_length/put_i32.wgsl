// The sign is bit 15.
fn put(index: u32, bits: u32) { store_y(index, i32(bits << 16u) >> 16u); }
