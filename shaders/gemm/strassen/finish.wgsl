// Strassen's products put together, and the epilogue. An invocation takes a quad of columns at the same place of every block of C.
//
//     products [product][block row][block column, quads]
//
// After combinations.wgsl.

// Each lane's own (no barrier is needed): results pass to a loop that stays a loop, because an epilogue compiles slowly.
var<workgroup> blocks: array<vec4<f32>, 4u * INNER * LANES>;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  let index = group * LANES + lane;
  let plane = params.lines * params.quads;
  if (group >= params.groups || index >= plane) { return; }

  // The products of the outer level, each in all its blocks.
  var outer: array<vec4<f32>, 7u * INNER>;
  for (var p = 0u; p < 7u; p++) {
    if (INNER == 1u) {
      outer[p] = load_products(p * plane + index);
    } else {
      var products: Seven;
      for (var q = 0u; q < 7u; q++) { products[q] = load_products((7u * p + q) * plane + index); }
      let made = results(products);
      for (var b = 0u; b < INNER; b++) { outer[p * INNER + b] = made[b]; }
    }
  }
  for (var b = 0u; b < INNER; b++) {
    var products: Seven;
    for (var p = 0u; p < 7u; p++) { products[p] = outer[p * INNER + b]; }
    let made = results(products);
    for (var i = 0u; i < 4u; i++) { blocks[(i * INNER + b) * LANES + lane] = made[i]; }
  }

  let slice = slice_of(0u);
  let line = index / params.quads;
  let first = 4u * (index - line * params.quads);
  for (var block = 0u; block < params.blocks; block++) {
    let row = row_of(block) * params.lines + line;
    let column = column_of(block) * 4u * params.quads + first;
    if (row < params.rows && column < params.columns) { finish_quad(slice, row, column, blocks[block * LANES + lane]); }
  }
}
