// The larger of two integers.
fn larger(a: x_t, b: x_t) -> x_t { return max(a, b); }
