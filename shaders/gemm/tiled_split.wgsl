// A workgroup for each tile and part of the depth (split-K): partial sums, which reduce.wgsl adds up. After tile.wgsl and tiled.wgsl
// or registers.wgsl.
//
//     partials [split][slice][row][quad of columns], f32; part s takes whole steps, those before it at most one more
//
//     steps    |  s = 0  |  s = 1  | s = 2 | ...

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let all_tiles = params.slices * params.row_tiles * params.column_tiles;
  let index = group % all_tiles;
  let part = group / all_tiles;
  let tile = tile_of(index);
  let each = params.steps / SPLITS;
  let more = params.steps % SPLITS;
  let first = part * each + min(part, more);
  let acc = sums_of(tile, first, first + each + select(0u, 1u, part < more), lane);

  let quads = (params.columns + 3u) / 4u;
  let plane = part * params.slices + index / (params.row_tiles * params.column_tiles);
  for (var s = 0u; s < SUMS; s++) { // unrolled
    let row = tile.row + row_in_tile(lane, s / ACROSS);
    let column = tile.column + column_in_tile(lane, s % ACROSS);
    if (row < params.rows && column < params.columns) {
      store_partials((plane * params.rows + row) * quads + column / 4u, vec4<f32>(acc[s]));
    }
  }
}
