// The value that a kernel fills in, for tensors of one word an element.
fn fill_value() -> y_t { return y_t(params.fill); }
