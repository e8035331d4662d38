// Runs the epilogue on the sums of a tile in a loop that no compiler unrolls, since its bound is a param: where compiling an epilogue for
// every quad takes longer than passing the sums through memory. After tile.wgsl.
fn finish_tile(tile: Tile, lane: u32, acc: Sums) {
  // A copy, so that the sums themselves, which no computed index touches, stay in registers.
  var sums: Sums;
  for (var s = 0u; s < SUMS; s++) { // unrolled
    sums[s] = acc[s];
  }
  for (var s = 0u; s < params.stored; s++) {
    let row = tile.row + row_in_tile(lane, s / ACROSS);
    let column = tile.column + column_in_tile(lane, s % ACROSS);
    if (row < params.rows && column < params.columns) { finish_quad(tile.slice, row, column, vec4<f32>(sums[s])); }
  }
}
