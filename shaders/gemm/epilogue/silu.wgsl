// x / (1 + e^-x), by e^-|x|, which cannot overflow. After float.wgsl.
fn apply(x: f32) -> f32 {
  if (is_nan(x)) { return x; }
  let e = exp(-abs(x));
  let part = select(1.0, e, x < 0.0) / (1.0 + e);
  // e^-|x| is 0 where x is -infinity, and so is the product's limit.
  return select(x * part, 0.0, part == 0.0);
}
