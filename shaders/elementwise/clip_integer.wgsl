// min(max(x, low), high) of integers: high wins where low > high. Absent bounds are the ends of the dtype's range.
fn apply(x: x_t) -> y_t { return min(max(x, params.low), params.high); }
