// y = (x - zero point) * scale, element by element. The difference is an integer and wraps as i32.
@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.count) { return; }
  let at = scale_index(index);
  store_y(index, f32(i32(load_x(index)) - zero_at(at)) * load_scales(at));
}
