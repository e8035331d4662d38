// All left (where LEFT) or right factors of Strassen's products in one go. A and B are grids of blocks, what lies past their edges
// is 0; an invocation takes a quad of values at the same place of every block: of A along the depth, of B along the columns.
//
//     factors   left [product][block row][depth, quads]      right [product][depth][columns, quads]
//
// After combinations.wgsl.

fn quad_of(slice: Slice, line: u32, first: u32) -> vec4<f32> {
  let inside = line < select(params.depth, params.rows, LEFT) && first < select(params.columns, params.depth, LEFT);
  let a = select(0u, line, inside);
  let b = select(0u, first, inside);
  if (LEFT) { return select(vec4<f32>(), left_along(slice, a, b), vec4<bool>(inside)); }
  let last = select(0u, params.columns, inside);
  return select(vec4<f32>(), right_across(slice, b, a), vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(last));
}

fn factors_of(blocks: Four) -> Seven {
  if (LEFT) { return left_factors(blocks); }
  return right_factors(blocks);
}

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
  let slice = slice_of(0u);
  let line = index / params.quads;
  let first = 4u * (index - line * params.quads);

  // Factors of the outer level, each for all blocks of the inner one.
  var outer: array<vec4<f32>, 7u * INNER>;
  for (var b = 0u; b < INNER; b++) {
    var blocks: Four;
    for (var i = 0u; i < 4u; i++) {
      let block = i * INNER + b;
      blocks[i] = quad_of(slice, row_of(block) * params.lines + line, column_of(block) * 4u * params.quads + first);
    }
    let factors = factors_of(blocks);
    for (var p = 0u; p < 7u; p++) { outer[p * INNER + b] = factors[p]; }
  }
  for (var p = 0u; p < 7u; p++) {
    if (INNER == 1u) {
      store_factors(p * plane + index, outer[p]);
    } else {
      var blocks: Four;
      for (var b = 0u; b < INNER; b++) { blocks[b] = outer[p * INNER + b]; }
      let factors = factors_of(blocks);
      for (var q = 0u; q < 7u; q++) { store_factors((7u * p + q) * plane + index, factors[q]); }
    }
  }
}
