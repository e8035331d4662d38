// max(x, 0) of integers.
fn apply(x: i32) -> i32 { return max(x, 0); }
