// The memory alone: y = x, EACH vectors of four to an invocation, neighbours in memory to neighbouring invocations.
//
//   workgroup   │ lane 0 … lane LANES−1 │ lane 0 … │  EACH times
@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y, WORKGROUP_Z)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32
) {
  let group = workgroup_index(id, grid);
  if (group >= params.groups) { return; }
  for (var part = 0u; part < EACH; part++) {
    let index = (group * EACH + part) * LANES + lane;
    store_y(index, load_x(index));
  }
}
