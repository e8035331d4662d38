// The fused activation: none or ReLU. NaN stays NaN.
fn activated(value: f32) -> f32 {
  return select(value, 0.0, params.relu == 1u && value < 0.0);
}
