// Several small operands as the words of one, sides[i] = word_of(i): word_of is written for the operands at hand.
@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index < params.count) { store_sides(index, word_of(index)); }
}
