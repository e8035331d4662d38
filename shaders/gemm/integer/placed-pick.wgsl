// Weights in 2:4 against a row (walk-two-of-four.wgsl), only kept values multiplied, in plain integers: what placed-gather.wgsl does in
// words, where a dot product of words is taken apart anyway. The byte in a seat is moved to the top and back down, which gives its sign.
struct Placed { values: array<vec4<i32>, 4>, up: array<vec4<u32>, 4> }

fn signed_byte(words: vec4<u32>, up: vec4<u32>) -> vec4<i32> {
  return bitcast<vec4<i32>>(words << up) >> vec4<u32>(24u);
}

/// Of each of the four kept bytes its value, and by how many bits the byte in its seat lies from the top.
fn placed(kept: vec4<u32>, seats: vec4<u32>) -> Placed {
  let others = ~seats;
  let most = vec4<u32>(24u);
  var result: Placed;
  for (var i = 0u; i < 4u; i++) { result.values[i] = signed_byte(kept, vec4<u32>(24u - 8u * i)); }
  result.up[0] = (others << vec4<u32>(3u)) & most;
  result.up[1] = (others << vec4<u32>(1u)) & most;
  result.up[2] = (others >> vec4<u32>(1u)) & most;
  result.up[3] = (others >> vec4<u32>(3u)) & most;
  return result;
}

fn placed_dots(low: u32, high: u32, right: Placed) -> vec4<i32> {
  return signed_byte(vec4<u32>(low), right.up[0]) * right.values[0]
    + signed_byte(vec4<u32>(low), right.up[1]) * right.values[1]
    + signed_byte(vec4<u32>(high), right.up[2]) * right.values[2]
    + signed_byte(vec4<u32>(high), right.up[3]) * right.values[3];
}
