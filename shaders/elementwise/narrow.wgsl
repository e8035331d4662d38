// i8 and u8 lie as 32-bit words: results wrap around to their 8 bits (>> keeps the sign of an i32).
fn narrow(value: y_t) -> y_t { return (value << 24u) >> 24u; }
