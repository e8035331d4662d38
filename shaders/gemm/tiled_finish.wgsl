// Runs the epilogue on the sums of a tile (tiled.wgsl).
fn finish_tile(tile: Tile, lane: u32, acc: Sums) {
  for (var i = 0u; i < ROWS; i++) {
    let row = tile.row + row_in_tile(lane, i);
    for (var v = 0u; v < ACROSS; v++) {
      let column = tile.column + column_in_tile(lane, v);
      if (row < params.rows && column < params.columns) { finish_quad(tile.slice, row, column, vec4<f32>(acc[i * ACROSS + v])); }
    }
  }
}
