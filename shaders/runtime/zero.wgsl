// Clears x, access by access (an element, or a vector of four): scratch memory that an op wants zeroed, inside the compute pass of a run.

@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index < params.count) { store_x(index, x_t()); }
}
