// What the cores of a product of bytes do with words. Sums are i32 and wrap, so they are exact whatever the depth and the order.
//
//   sum over k of (a - za)(b - zb)  =  sum ab  -  zb * sum a  -  za * sum b  +  depth * za * zb

const ONES = 0x01010101u;

/// One row's word against four columns' words.
fn dots(a: u32, b: vec4<u32>) -> vec4<i32> {
  return vec4<i32>(dot_bytes(a, b.x), dot_bytes(a, b.y), dot_bytes(a, b.z), dot_bytes(a, b.w));
}

/// The zero points of the four columns from `column` on; those past the last are read as the last.
fn b_zeros(slice: Slice, column: u32) -> vec4<i32> {
  var zeros: vec4<i32>;
  for (var j = 0u; j < 4u; j++) { zeros[j] = b_zero(slice, min(column + j, params.columns - 1u)); }
  return zeros;
}
