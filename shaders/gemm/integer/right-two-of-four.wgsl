// The right matrix of a product of bytes that holds 2:4 (src/sparsity/two-of-four.ts), turned into panels of PANEL columns: a word has the
// four bytes that two groups of a column keep, and a word of seats has eight nibbles. Four columns come in one load:
//
//     depth    0 1 2 3 | 4 5 6 7         kept word  [ a b | c d ]  of seats 0 3 | 1 2
//     column   a . . b | . c d .         load_right(k = 0) = [ a 0 0 b ],  load_right(k = 4) = [ 0 c d 0 ]
//
// Values past the depth are 0, as the format pads them.

/// What four columns keep of the two groups at k, a multiple of 8.
fn kept_words(column: u32, k: u32) -> vec4<u32> {
  let row = column / PANEL * (4u * params.seats_words) + k / 8u;
  return load_b((row * PANEL + column % PANEL) / 4u);
}

/// A group's two bytes (the low half of `kept`) where their seats (the low nibble of `seats`) are: a word along the depth.
fn spread(kept: vec4<u32>, seats: vec4<u32>) -> vec4<u32> {
  let first = (kept & vec4<u32>(0xffu)) << ((seats << vec4<u32>(3u)) & vec4<u32>(24u));
  return first | (((kept >> vec4<u32>(8u)) & vec4<u32>(0xffu)) << ((seats << vec4<u32>(1u)) & vec4<u32>(24u)));
}

/// Words along the depth for the four columns of the quad that `column` is in.
fn load_right(slice: Slice, k: u32, column: u32) -> vec4<u32> {
  let group = k / 4u;
  let kept = kept_words(column, k) >> vec4<u32>(16u * (group % 2u));
  return spread(kept, right_words(slice, column, group / 8u) >> vec4<u32>(4u * (group % 8u)));
}
