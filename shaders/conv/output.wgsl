// An output of a convolution, and how its index is taken apart. After runtime/quotient.wgsl.
struct Output { n: u32, filter_index: u32, z: u32, y: u32, x: u32 }

/// The innermost digit of a number whose digits count to `size`; the others are left in `rest`.
fn next_digit(rest: ptr<function, u32>, size: u32) -> u32 {
  let outer = quotient(*rest, size, 1.0 / f32(size));
  let own = *rest - outer * size;
  *rest = outer;
  return own;
}
