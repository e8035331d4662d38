// a + b. Integers wrap around.
fn apply(a: a_t, b: b_t) -> y_t { return a + b; }
