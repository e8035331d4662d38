// The right matrix of a product of bytes, given transposed as B [columns, depth]: words of four bytes along the depth lie as they are
// needed, one for each of four columns. Columns past the last are read as the last and never stored; bytes past the depth are 0.

fn bytes_b(offset: u32) -> u32 {
  let low = load_b(offset / 4u);
  let shift = 8u * (offset & 3u);
  if (shift == 0u) { return low; }
  return (low >> shift) | (load_b(min(offset / 4u + 1u, params.b_last)) << (32u - shift));
}

fn load_right(slice: Slice, k: u32, column: u32) -> vec4<u32> {
  var words: vec4<u32>;
  for (var j = 0u; j < 4u; j++) {
    words[j] = bytes_b(slice.b + min(column + j, params.columns - 1u) * params.depth + min(k, params.depth - 1u));
  }
  return (words ^ vec4<u32>(FLIP_B)) & vec4<u32>(inside(k));
}
