// The dot product of four signed bytes with four, by the instruction for it.
fn dot_bytes(a: u32, b: u32) -> i32 { return dot4I8Packed(a, b); }
