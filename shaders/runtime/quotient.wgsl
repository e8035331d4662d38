// x / d for x, d < 2^31 by a divisor that is the same for all, without the integer division that processors and many GPUs lack.
// `inverse` is 1 / d in f32. The first guess is off by at most x / d * 3 * 2^-24, so that what it leaves fits f32 well; the second is off by
// one at most.
fn quotient(x: u32, d: u32, inverse: f32) -> u32 {
  let guess = i32(f32(i32(x)) * inverse);
  let nearer = guess + i32(f32(i32(x) - guess * i32(d)) * inverse);
  let rest = i32(x) - nearer * i32(d);
  return u32(select(select(nearer, nearer + 1, rest >= i32(d)), nearer - 1, rest < 0));
}
