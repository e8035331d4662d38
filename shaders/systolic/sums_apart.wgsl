// Partial sums of earlier row folds lie in f32 beside an output that is stored narrower; the last fold writes the output.
fn load_sum(i: u32) -> f32 { return load_sums(i); }
fn store_sum(i: u32, v: f32, last: bool) { if (last) { store_y(i, v); } else { store_sums(i, v); } }
