// Whole division by a divisor that is the same for all, without the integer division that processors and many GPUs lack. `inverse` is
// 1 / d in f32. Exact where x / d < 2^21: three roundings of 2^-24 each then leave the quotient less than one off, and so does the cut.
fn divided(x: u32, d: u32, inverse: f32) -> u32 {
  let guess = u32(i32(f32(x) * inverse));
  let rest = i32(x - guess * d);
  let quotient = select(select(guess, guess + 1u, rest >= i32(d)), guess - 1u, rest < 0);
  return select(quotient, x, d == 1u);
}
