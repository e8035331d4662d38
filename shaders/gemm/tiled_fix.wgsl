// Adds up the partial sums of the tiles that several shares made (tiled_stream.wgsl), in the shares' order, and runs the epilogue. A
// workgroup for each place where a share begins: the first within a tile finishes it. After tile.wgsl and share.wgsl.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let share = workgroup_index(wid, grid);
  if (share >= params.groups) { return; }
  // This share began the tile, and the next one goes on with it.
  let index = (start_of(share + 1u) - 1u) / params.steps;
  let begin = index * params.steps;
  let end = begin + params.steps;
  if (start_of(share) > begin || start_of(share + 1u) == end) { return; }

  let tile = tile_of(index);
  // The bound is a param, so that no compiler unrolls the loop: an epilogue for each of its steps takes long to compile.
  for (var s = 0u; s < params.stored; s++) {
    let row = tile.row + row_in_tile(lane, s / ACROSS);
    let column = tile.column + column_in_tile(lane, s % ACROSS);
    if (row < params.rows && column < params.columns) {
      var sum = load_partials(partial_of(share, true, s, lane));
      for (var other = share + 1u; start_of(other) < end; other++) { sum += load_partials(partial_of(other, false, s, lane)); }
      finish_quad(tile.slice, row, column, sum);
    }
  }
}
