// A fixed number of workgroups share all steps of all tiles evenly (stream-K). A workgroup walks its share tile by tile; a tile that
// it has to itself it finishes, of one that it shares it leaves partial sums, which tiled_fix.wgsl adds up. After tile.wgsl, share.wgsl,
// tiled.wgsl or registers.wgsl, and tiled_finish.wgsl or tiled_finish_loop.wgsl.
//
//     steps    |  tile 0  |  tile 1  |  tile 2  |
//     shares   |   0   |   1   |   2   |   3    |       0 finishes nothing: 0 and 1 share tile 0, 1 and 2 tile 1, ...

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let share = workgroup_index(wid, grid);
  if (share >= params.groups) { return; }
  let end = start_of(share + 1u);
  var at = start_of(share);
  while (at < end) {
    let index = at / params.steps;
    let begin = index * params.steps;
    let last = min(begin + params.steps, end);
    let tile = tile_of(index);
    let acc = sums_of(tile, at - begin, last - begin, lane);
    if (last - at == params.steps) {
      finish_tile(tile, lane, acc);
    } else {
      for (var s = 0u; s < SUMS; s++) { // unrolled
        store_partials(partial_of(share, at == begin, s, lane), vec4<f32>(acc[s]));
      }
    }
    at = last;
  }
}
