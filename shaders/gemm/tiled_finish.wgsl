// Runs the epilogue on the sums of a tile, written out for every quad: nothing leaves registers. After tile.wgsl.
fn finish_tile(tile: Tile, lane: u32, acc: Sums) {
  for (var s = 0u; s < SUMS; s++) { // unrolled
    let row = tile.row + row_in_tile(lane, s / ACROSS);
    let column = tile.column + column_in_tile(lane, s % ACROSS);
    if (row < params.rows && column < params.columns) { finish_quad(tile.slice, row, column, vec4<f32>(acc[s])); }
  }
}
