// The left matrix of a product of bytes, A [rows, depth], as words of four bytes along the depth. Every word is signed bytes:
// FLIP_A turns u8 into i8 by taking 128 off (its zero point goes with it). Rows begin at any byte, so that depths need not be
// multiples of four; bytes past the depth are 0.

/// Four bytes from any byte offset on.
fn bytes_a(offset: u32) -> u32 {
  let low = load_a(offset / 4u);
  let shift = 8u * (offset & 3u);
  if (shift == 0u) { return low; }
  return (low >> shift) | (load_a(min(offset / 4u + 1u, params.a_last)) << (32u - shift));
}

/// Which bytes of the word at depth k lie inside: all bits of those.
fn inside(k: u32) -> u32 {
  if (k + 4u <= params.depth) { return 0xffffffffu; }
  return select(0u, (1u << (8u * (params.depth - k))) - 1u, k < params.depth);
}

fn load_left(slice: Slice, row: u32, k: u32) -> u32 {
  return (bytes_a(slice.a + row * params.depth + k) ^ FLIP_A) & inside(k);
}
