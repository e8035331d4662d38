// Tiled product of bytes. A workgroup owns 4*WORKGROUP_Y rows by 4*WORKGROUP_X columns and walks the depth in steps of 4*TILE_WORDS
// bytes; an invocation multiplies a 4 x 4 block, four bytes of depth at a time:
//
//                       right_tile  x ->  [c0 c1 c2 c3]   a word each: k .. k+3
//                     +------------------------------
//     left_tile  [r0] |   acc[0] += dot(r0, c0 c1 c2 c3)
//       y        [r1] |   acc[1]
//                [r2] |   acc[2]
//                [r3] |   acc[3]

var<workgroup> left_tile: array<vec4<u32>, TILE_WORDS * WORKGROUP_Y>;
var<workgroup> right_tile: array<vec4<u32>, TILE_WORDS * WORKGROUP_X>;

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

  var acc: array<vec4<i32>, 4>;
  var row_sums: vec4<i32>;
  var column_sums: vec4<i32>;
  for (var start = 0u; start < params.depth; start += 4u * TILE_WORDS) {
    for (var i = lane; i < TILE_WORDS * WORKGROUP_Y; i += LANES) {
      let k = start + 4u * (i % TILE_WORDS);
      let row = first_row + 4u * (i / TILE_WORDS);
      var words = vec4<u32>();
      if (k < params.depth) {
        for (var j = 0u; j < 4u; j++) { words[j] = load_left(slice, min(row + j, params.rows - 1u), k); }
      }
      left_tile[(i % TILE_WORDS) * WORKGROUP_Y + i / TILE_WORDS] = words;
    }
    for (var i = y; i < TILE_WORDS; i += WORKGROUP_Y) {
      let k = start + 4u * i;
      var words = vec4<u32>();
      if (k < params.depth) { words = load_right(slice, k, min(first_column + 4u * x, params.columns - 1u)); }
      right_tile[i * WORKGROUP_X + x] = words;
    }
    workgroupBarrier();
    for (var k = 0u; k < TILE_WORDS; k++) {
      let l = left_tile[k * WORKGROUP_Y + y];
      let r = right_tile[k * WORKGROUP_X + x];
      for (var i = 0u; i < 4u; i++) { acc[i] += dots(l[i], r); }
      if (HAS_B_ZERO) { row_sums += dots(ONES, l); }
      if (HAS_A_ZERO) { column_sums += dots(ONES, r); }
    }
    workgroupBarrier();
  }

  let column = first_column + 4u * x;
  if (column >= params.columns) { return; }
  let zb = b_zeros(slice, column);
  var sums: array<vec4<i32>, 4>;
  for (var i = 0u; i < 4u; i++) {
    let za = a_zero(slice, min(first_row + 4u * y + i, params.rows - 1u));
    sums[i] = acc[i] - zb * row_sums[i] - za * (column_sums - i32(params.depth) * zb);
  }
  // The bound is a param, so that no compiler unrolls the loop: an epilogue for each of its steps takes long to compile.
  for (var i = 0u; i < params.block_rows; i++) {
    let row = first_row + 4u * y + i;
    if (row >= params.rows) { break; }
    finish(slice, row, column, sums[i]);
  }
}
