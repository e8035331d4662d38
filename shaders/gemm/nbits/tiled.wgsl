// Tiled product with packed weights. A workgroup owns 4*WORKGROUP_Y rows by 4*WORKGROUP_X columns and walks the depth sixteen at a
// time: values of A and dequantised weights meet in workgroup memory, an invocation multiplies 4 x 4:
//
//                      right_tile  x ->  [c0 c1 c2 c3] per k     dequantised once for all rows of the tile
//                    +-----------------------------
//     left_tile [r0] |  acc[0] += r0 * (c0 c1 c2 c3)
//       y       [..] |  ...
//               [r3] |  acc[3]

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
  let row0 = (group / params.column_tiles) * (4u * WORKGROUP_Y);
  let column0 = (group % params.column_tiles) * (4u * WORKGROUP_X);
  let x = lane % WORKGROUP_X;
  let y = lane / WORKGROUP_X;
  let words_deep = TILE_DEPTH / PER_WORD;
  let depth = params.blocks * params.block_words * PER_WORD;

  var acc: array<vec4<f32>, 4>;
  for (var k0 = 0u; k0 < depth; k0 += TILE_DEPTH) {
    // Quads of rows at one depth each; a load brings four depths of one row.
    for (var i = lane; i < TILE_DEPTH / 4u * WORKGROUP_Y; i += LANES) {
      let quad = i % (TILE_DEPTH / 4u);
      let rows = i / (TILE_DEPTH / 4u);
      var block = mat4x4<f32>();
      for (var j = 0u; j < 4u; j++) { block[j] = left_quad(min(row0 + 4u * rows + j, params.rows - 1u), k0 + 4u * quad); }
      let turned = transpose(block);
      for (var j = 0u; j < 4u; j++) { left_tile[(4u * quad + j) * WORKGROUP_Y + rows] = turned[j]; }
    }
    for (var i = lane; i < words_deep * WORKGROUP_X; i += LANES) {
      let columns = i % WORKGROUP_X;
      let word = k0 / PER_WORD + i / WORKGROUP_X;
      let block = word / params.block_words;
      let column = column0 + 4u * columns;
      let words = words_at(column, block, word % params.block_words)[0];
      let scales = four_scales(column, block);
      let zeros = four_zeros(column, block);
      for (var j = 0u; j < PER_WORD; j++) {
        right_tile[((i / WORKGROUP_X) * PER_WORD + j) * WORKGROUP_X + columns] = weights_at(words, j, zeros, scales);
      }
    }
    workgroupBarrier();
    for (var k = 0u; k < TILE_DEPTH; k++) {
      let l = left_tile[k * WORKGROUP_Y + y];
      let r = right_tile[k * WORKGROUP_X + x];
      for (var i = 0u; i < 4u; i++) { acc[i] = fma(vec4<f32>(l[i]), r, acc[i]); }
    }
    workgroupBarrier();
  }

  let column = column0 + 4u * x;
  for (var i = 0u; i < 4u; i++) {
    let row = row0 + 4u * y + i;
    if (row < params.rows && column < params.columns) { finish_quad(Slice(0u, 0u), row, column, acc[i]); }
  }
}
