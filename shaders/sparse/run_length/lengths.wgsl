// First of three dispatches that decode: how many values the words of a workgroup hold, a word a lane. After word.wgsl, sum.wgsl, scan.wgsl.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let own = length_of(group * LANES + lane);
  let left = before(lane, own);
  if (lane == LANES - 1u) { store_blocks(group, left + own); }
}
