// The sums of one tile of a product, by way of workgroup memory. After tile.wgsl and tiled_side.wgsl, once for each side; what becomes of
// the sums is said by the file that follows: tiled_whole.wgsl, tiled_split.wgsl, tiled_stream.wgsl.
//
// A workgroup walks the depth in steps of TILE_DEPTH, four k at a time:
//
//                                 right_memory    x        x + LANES_X
//                                    4 k      [c c c c]    [c c c c]
//            left_memory             -------+------------------------
//            y            [r r r r]         | acc[..]      acc[..]        ROWS = COLUMNS = 8: sixteen vec4s are read
//            y + LANES_Y  [r r r r]         | acc[..]      acc[..]        for 256 multiply-adds
//
// While a step is multiplied the next one is on its way from memory into registers. With two BUFFERS it is put beside the step
// being read, and a step takes one barrier; with one it waits for a second barrier.

/// The sums of steps `first` to `end - 1` of the depth, of which there is at least one. Called by whole workgroups.
fn sums_of(tile: Tile, first: u32, end: u32, lane: u32) -> Sums {
  var acc: Sums;
  if (params.depth == 0u) { return acc; }
  let x = lane_x(lane);
  let y = lane_y(lane);
  var rows: array<vec4<value_t>, LEFT_PASSES>;
  var columns: array<vec4<value_t>, RIGHT_PASSES>;
  var k0 = first * TILE_DEPTH;
  for (var p = 0u; p < LEFT_PASSES; p++) { // unrolled
    rows[p] = left_fetched(tile.slice, tile.row, k0, lane + p * LANES);
  }
  for (var p = 0u; p < RIGHT_PASSES; p++) { // unrolled
    columns[p] = right_fetched(tile.slice, tile.column, k0, lane + p * LANES);
  }
  for (var p = 0u; p < LEFT_PASSES; p++) { // unrolled
    left_put(rows[p], k0, 0u, lane + p * LANES);
  }
  for (var p = 0u; p < RIGHT_PASSES; p++) { // unrolled
    right_put(columns[p], k0, 0u, lane + p * LANES);
  }
  workgroupBarrier();

  var buffer = 0u;
  for (var step = first; step < end; step++) {
    let more = step + 1u < end;
    k0 += TILE_DEPTH;
    if (more) {
      for (var p = 0u; p < LEFT_PASSES; p++) { // unrolled
        rows[p] = left_fetched(tile.slice, tile.row, k0, lane + p * LANES);
      }
      for (var p = 0u; p < RIGHT_PASSES; p++) { // unrolled
        columns[p] = right_fetched(tile.slice, tile.column, k0, lane + p * LANES);
      }
    }
    for (var q = 0u; q < DEEP; q++) {
      var right: array<mat4x4<acc_t>, ACROSS>;
      for (var v = 0u; v < ACROSS; v++) { // unrolled
        right[v] = right_taken(buffer, x + v * LANES_X, q);
      }
      for (var u = 0u; u < DOWN; u++) { // unrolled
        let left = left_taken(buffer, y + u * LANES_Y, q);
        for (var v = 0u; v < ACROSS; v++) { // unrolled
          let at = 4u * u * ACROSS + v;
          for (var k = 0u; k < QUAD; k++) { // unrolled
            acc[at] = fma(vec4<acc_t>(left[k].x), right[v][k], acc[at]);
            acc[at + ACROSS] = fma(vec4<acc_t>(left[k].y), right[v][k], acc[at + ACROSS]);
            acc[at + 2u * ACROSS] = fma(vec4<acc_t>(left[k].z), right[v][k], acc[at + 2u * ACROSS]);
            acc[at + 3u * ACROSS] = fma(vec4<acc_t>(left[k].w), right[v][k], acc[at + 3u * ACROSS]);
          }
        }
      }
    }
    if (BUFFERS == 1u) { workgroupBarrier(); } else { buffer = 1u - buffer; }
    if (more) {
      for (var p = 0u; p < LEFT_PASSES; p++) { // unrolled
        left_put(rows[p], k0, buffer, lane + p * LANES);
      }
      for (var p = 0u; p < RIGHT_PASSES; p++) { // unrolled
        right_put(columns[p], k0, buffer, lane + p * LANES);
      }
    }
    workgroupBarrier();
  }
  return acc;
}
