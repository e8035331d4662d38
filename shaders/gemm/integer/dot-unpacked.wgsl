// The dot product of four signed bytes with four, for WGSL without packed_4x8_integer_dot_product: the same words, taken apart.
fn signed_bytes(word: u32) -> vec4<i32> {
  return bitcast<vec4<i32>>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
}

fn dot_bytes(a: u32, b: u32) -> i32 { return dot(signed_bytes(a), signed_bytes(b)); }
