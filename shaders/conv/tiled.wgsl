// Tiled implicit matrix product of a convolution: Y[row][column] = sum over k of left(row, k) * right(k, column), slice by slice.
//
// A workgroup owns a tile of 4*WORKGROUP_Y rows by 4*WORKGROUP_X columns and walks the depth in steps of TILE_DEPTH. Each step
// is loaded into workgroup memory as vec4s (of rows on the left, of columns on the right); each invocation then multiplies
// its own 4 x 4 block:
//
//                    right_tile   x ->   [c0 c1 c2 c3] per k
//                  +---------------------------
//     left_tile    |
//     y [r0]       |   acc[0]  = r0 * (c0 c1 c2 c3)
//       [r1] per k |   acc[1]
//       [r2]       |   acc[2]
//       [r3]       |   acc[3]
//
// What the matrices are is said by the functions of patches.wgsl, which this file is joined with: slice_of, load_left, column_of,
// depth_of, load_right and finish.

const TILE_DEPTH = 16u;

var<workgroup> left_tile: array<vec4<f32>, TILE_DEPTH * WORKGROUP_Y>;
var<workgroup> right_tile: array<vec4<f32>, TILE_DEPTH * WORKGROUP_X>;

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let tiles = group / params.column_tiles;
  let slice = slice_of(tiles / params.row_tiles);
  let first_row = (tiles % params.row_tiles) * (4u * WORKGROUP_Y);
  let first_column = (group % params.column_tiles) * (4u * WORKGROUP_X);
  let x = lane % WORKGROUP_X;
  let y = lane / WORKGROUP_X;

  // Columns past the last are read as the last and never stored.
  var columns: array<Column, 4>;
  for (var j = 0u; j < 4u; j++) {
    columns[j] = column_of(slice, min(first_column + 4u * x + j, params.columns - 1u));
  }

  var acc: array<vec4<f32>, 4>;
  for (var start = 0u; start < params.depth; start += TILE_DEPTH) {
    for (var i = lane; i < TILE_DEPTH * WORKGROUP_Y; i += LANES) {
      let k = start + i % TILE_DEPTH;
      let row = first_row + 4u * (i / TILE_DEPTH);
      var quad = vec4<f32>();
      if (k < params.depth) {
        for (var j = 0u; j < 4u; j++) {
          if (row + j < params.rows) { quad[j] = load_left(slice, row + j, k); }
        }
      }
      left_tile[(i % TILE_DEPTH) * WORKGROUP_Y + i / TILE_DEPTH] = quad;
    }
    for (var i = y; i < TILE_DEPTH; i += WORKGROUP_Y) {
      var quad = vec4<f32>();
      if (start + i < params.depth) {
        let k = depth_of(start + i);
        for (var j = 0u; j < 4u; j++) { quad[j] = load_right(slice, columns[j], k); }
      }
      right_tile[i * WORKGROUP_X + x] = quad;
    }
    workgroupBarrier();
    for (var k = 0u; k < TILE_DEPTH; k++) {
      let l = left_tile[k * WORKGROUP_Y + y];
      let r = right_tile[k * WORKGROUP_X + x];
      for (var i = 0u; i < 4u; i++) { acc[i] = fma(vec4<f32>(l[i]), r, acc[i]); }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < 4u; i++) {
    let row = first_row + 4u * y + i;
    if (row >= params.rows) { break; }
    for (var j = 0u; j < 4u; j++) {
      let column = first_column + 4u * x + j;
      if (column < params.columns) { finish(slice, row, column, acc[i][j]); }
    }
  }
}
