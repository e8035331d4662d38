// Sums meet within subgroups of any size first, by exchange with the lane 1, 2, 4 .. places away along the depth, then in workgroup
// memory (vector_meet_memory.wgsl) from subgroup to subgroup.
fn meet(sums: ptr<function, array<vec4<f32>, MEET>>, lane: u32, along: u32, size: u32) {
  for (var mask = ALONG_STEP; mask < min(size, ALONG_STEP * ALONG); mask *= 2u) {
    for (var i = 0u; i < MEET; i++) { sums[i] += subgroupShuffleXor(sums[i], mask); }
  }
  meet_in_memory(sums, lane, along, size);
}
