// A workgroup for each tile, over the whole depth. After tile.wgsl, tiled.wgsl or registers.wgsl,
// and tiled_finish.wgsl or tiled_finish_loop.wgsl.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let tile = tile_of(group);
  finish_tile(tile, lane, sums_of(tile, 0u, params.steps, lane));
}
