// min(max(x, low), high): high wins where low > high. A NaN of x, or of a bound in use, stays. After float.wgsl.
fn apply(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  var y = x;
  if ((params.bounds & 1u) != 0u) { if (is_nan(params.low)) { return params.low; } y = max(y, params.low); }
  if ((params.bounds & 2u) != 0u) { if (is_nan(params.high)) { return params.high; } y = min(y, params.high); }
  return y;
}
