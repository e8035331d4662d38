// The ALONG lanes of a quad lie in one subgroup: their sums meet by exchange with the lane 1, 2, 4 .. places away along the depth.
// All of them have the sum then.
fn meet(sums: ptr<function, array<vec4<f32>, MEET>>, _lane: u32, _along: u32, _size: u32) {
  for (var mask = ALONG_STEP; mask < ALONG_STEP * ALONG; mask *= 2u) {
    for (var i = 0u; i < MEET; i++) { sums[i] += subgroupShuffleXor(sums[i], mask); }
  }
}
