// The right matrix of a product of bytes, B [depth, columns], as words of four bytes along the depth for four columns. B lies along
// its columns, so a 4 x 4 block of bytes is turned in registers:
//
//            column  0  1  2  3
//     k+0  word 0  [ .  .  .  . ]          result.x = column 0: k+0 k+1 k+2 k+3
//     k+1  word 1  [ .  .  .  . ]   ->     result.y = column 1
//     k+2  word 2  [ .  .  .  . ]          result.z = column 2
//     k+3  word 3  [ .  .  .  . ]          result.w = column 3
//
// Rows begin at any byte; bytes past the depth are 0, those past the columns are whatever follows and are never stored.

fn bytes_b(offset: u32) -> u32 {
  let word = min(offset / 4u, params.b_last);
  let low = load_b(word);
  let shift = 8u * (offset & 3u);
  if (shift == 0u) { return low; }
  return (low >> shift) | (load_b(min(word + 1u, params.b_last)) << (32u - shift));
}

fn load_right(slice: Slice, k: u32, column: u32) -> vec4<u32> {
  let start = slice.b + column;
  let last = params.depth - 1u;
  let w0 = bytes_b(start + min(k, last) * params.columns);
  let w1 = bytes_b(start + min(k + 1u, last) * params.columns);
  let w2 = bytes_b(start + min(k + 2u, last) * params.columns);
  let w3 = bytes_b(start + min(k + 3u, last) * params.columns);
  // Pairs of rows: even and odd columns, two bytes each.
  let even01 = (w0 & 0x00ff00ffu) | ((w1 & 0x00ff00ffu) << 8u);
  let odd01 = ((w0 >> 8u) & 0x00ff00ffu) | (w1 & 0xff00ff00u);
  let even23 = (w2 & 0x00ff00ffu) | ((w3 & 0x00ff00ffu) << 8u);
  let odd23 = ((w2 >> 8u) & 0x00ff00ffu) | (w3 & 0xff00ff00u);
  let turned = vec4<u32>(
    (even01 & 0xffffu) | (even23 << 16u),
    (odd01 & 0xffffu) | (odd23 << 16u),
    (even01 >> 16u) | (even23 & 0xffff0000u),
    (odd01 >> 16u) | (odd23 & 0xffff0000u),
  );
  return (turned ^ vec4<u32>(FLIP_B)) & vec4<u32>(inside(k));
}
