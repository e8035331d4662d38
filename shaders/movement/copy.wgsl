// Copies a strided nest of x into a strided nest of y: transpose, slice, concat, depth-to-space and back. After strides.wgsl.

@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.count) { return; }
  let place = locate(index);
  store_y(place.q, load_x(place.p));
}
