// min(max(alpha · x + beta, 0), 1); NaN stays NaN, also that of 0 · infinity. After float.wgsl.
fn apply(x: f32) -> f32 {
  let line = params.alpha * x + params.beta;
  if (is_nan(line)) { return line; }
  return min(max(line, 0.0), 1.0);
}
