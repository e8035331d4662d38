// The sums of one tile of a product without workgroup memory: every invocation loads the blocks of its own rows and columns, 4 lines by
// 4 k at a time, and leaves it to the caches that its neighbours load some of the same. After tile.wgsl; what becomes of the sums is
// said by the file that follows: tiled_whole.wgsl, tiled_split.wgsl, tiled_stream.wgsl.
//
//                               right[0]    right[1]           4 k deep
//                              [c c c c]    [c c c c]
//      left[0]  [r r r r]    | acc[0..3]    acc[..]
//      left[1]  [r r r r]    | acc[..]      acc[..]

alias Block = mat4x4<value_t>;

/// The sums of steps `first` to `end - 1` of the depth.
fn sums_of(tile: Tile, first: u32, end: u32, lane: u32) -> Sums {
  var lines: array<u32, DOWN>;
  for (var u = 0u; u < DOWN; u++) { // unrolled
    lines[u] = min(tile.row + row_in_tile(lane, 4u * u), (params.rows - 1u) / 4u * 4u);
  }
  var columns: array<u32, ACROSS>;
  for (var v = 0u; v < ACROSS; v++) { // unrolled
    columns[v] = min(tile.column + column_in_tile(lane, v), (params.columns - 1u) / 4u * 4u);
  }
  var acc: Sums;
  for (var k = first * TILE_DEPTH; k < min(end * TILE_DEPTH, params.depth); k += 4u) {
    var right: array<Block, ACROSS>;
    for (var v = 0u; v < ACROSS; v++) { // unrolled
      right[v] = right_block(tile.slice, columns[v], k);
    }
    for (var u = 0u; u < DOWN; u++) { // unrolled
      let left = left_block(tile.slice, lines[u], k);
      for (var v = 0u; v < ACROSS; v++) { // unrolled
        let at = 4u * u * ACROSS + v;
        for (var i = 0u; i < QUAD; i++) { // unrolled
          acc[at] = fma(vec4<acc_t>(left[i].x), right[v][i], acc[at]);
          acc[at + ACROSS] = fma(vec4<acc_t>(left[i].y), right[v][i], acc[at + ACROSS]);
          acc[at + 2u * ACROSS] = fma(vec4<acc_t>(left[i].z), right[v][i], acc[at + 2u * ACROSS]);
          acc[at + 3u * ACROSS] = fma(vec4<acc_t>(left[i].w), right[v][i], acc[at + 3u * ACROSS]);
        }
      }
    }
  }
  return acc;
}
