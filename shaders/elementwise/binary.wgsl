// y = apply(a, b) with broadcasting: strides are 0 along stretched axes. After a file that defines apply
// and movement/strides.wgsl. Stores of i8 and u8 drop high bits, so results wrap around.

@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.count) { return; }
  let place = locate(index);
  store_y(index, apply(load_a(place.p), load_b(place.q)));
}
