// What becomes of a sum: y = activated(alpha * scale * sum + bias + residual). Which terms there are is said by the files that this
// one is joined with.
fn finished(terms: u32, index: u32, row: u32, column: u32, sum: f32) -> f32 {
  return activated(params.alpha * scale_at(terms, row, column) * sum + bias_at(terms, row, column) + residual_at(index));
}
