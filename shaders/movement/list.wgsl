// Writes up to eight small numbers, params.value_0 on, to y from element params.first on: a shape as a tensor (i64, high words 0).

@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.count) { return; }
  var value = params.value_0;
  switch index {
    case 1u: { value = params.value_1; }
    case 2u: { value = params.value_2; }
    case 3u: { value = params.value_3; }
    case 4u: { value = params.value_4; }
    case 5u: { value = params.value_5; }
    case 6u: { value = params.value_6; }
    case 7u: { value = params.value_7; }
    default: {}
  }
  store_y(params.first + index, y_t(value, 0u));
}
