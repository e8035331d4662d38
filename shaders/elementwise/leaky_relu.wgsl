// x where x >= 0, else alpha · x.
fn apply(x: f32) -> f32 { return select(x, params.alpha * x, x < 0.0); }
