// The value that a kernel fills in, for i64: its low and its high word.
fn fill_value() -> y_t { return y_t(params.fill, params.fill_high); }
