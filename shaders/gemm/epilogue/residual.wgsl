// A tensor like Y that is added before the activation.
fn residual_at(index: u32) -> f32 {
  return load_residual(index);
}
