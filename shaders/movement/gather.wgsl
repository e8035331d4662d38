// y[outer, pick, inner] = x[outer, indices[pick], inner]. Indices from -extent to extent - 1; outside, fill_value().
// After fill_*.wgsl and position_*.wgsl, which reads an index as i32.

@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.count) { return; }
  let inner = index % params.inner;
  let rest = index / params.inner;
  let outer = rest / params.picks;
  let extent = i32(params.extent);
  var pick = position(load_indices(rest % params.picks));
  if (pick < -extent || pick >= extent) {
    store_y(index, fill_value());
    return;
  }
  if (pick < 0) { pick += extent; }
  store_y(index, load_x((outer * params.extent + u32(pick)) * params.inner + inner));
}
