// A product of a few rows with a matrix that is read once: every lane walks down quads of columns, a share of the depth each.
//
// ROWS rows meet 4*STRIPS*ACROSS columns in a workgroup. A lane owns STRIPS quads of columns, ACROSS quads apart; ALONG lanes (and
// params.parts workgroups) share the depth of a quad, four steps of it at a time:
//
//                             across 0    across 1  ..   B
//      depth quad 0  along 0 [ 4 x 4 ]    [ 4 x 4 ]          acc[r] += A[r][k] * B[k][quad]   for k of its depth quads
//                 1  along 1 [ 4 x 4 ]    [ 4 x 4 ]
//                ..                                          then the ALONG sums of a quad meet (vector_meet_*.wgsl),
//             ALONG  along 0 [ 4 x 4 ]    [ 4 x 4 ]          and the first lane of them delivers (vector_deliver_*.wgsl)
//
// ACROSS_STEP and ALONG_STEP say how lanes lie: side by side along what is contiguous in B, so that a load of a subgroup is one run
// of memory. With ALONG = 1 the depth is the same for all lanes, and loads of A are uniform.

const MEET = MEET_ROWS * STRIPS;

/// The share of workgroup `group`; `size` is that of its subgroups where meet() uses them.
fn product_of(group: u32, lane: u32, size: u32) {
  let tiles = group / params.column_tiles;
  let index = tiles / params.parts;
  let slice = slice_of(index);
  let part = tiles % params.parts;
  let along = (lane / ALONG_STEP) % ALONG;
  let quad0 = (group % params.column_tiles) * (ACROSS * STRIPS) + (lane / ACROSS_STEP) % ACROSS;
  let last_quad = (params.columns - 1u) / 4u;
  let end = min(params.depth, (part + 1u) * params.part_depth);

  // Arrays are as long as the loops over them, by which compilers see that these must be unrolled and sums are registers.
  var acc: array<array<vec4<acc_t>, STRIPS>, ROWS>;
  for (var k = part * params.part_depth + 4u * along; k < end; k += 4u * ALONG) {
    var right: array<mat4x4<value_t>, STRIPS>;
    for (var v = 0u; v < STRIPS; v++) { right[v] = right_block(slice, 4u * min(quad0 + v * ACROSS, last_quad), k); }
    for (var r = 0u; r < ROWS; r++) {
      let a = vec4<acc_t>(left_along(slice, min(r, params.rows - 1u), k));
      for (var v = 0u; v < STRIPS; v++) {
        acc[r][v] = fma(vec4<acc_t>(a.x), vec4<acc_t>(right[v][0]), acc[r][v]);
        acc[r][v] = fma(vec4<acc_t>(a.y), vec4<acc_t>(right[v][1]), acc[r][v]);
        acc[r][v] = fma(vec4<acc_t>(a.z), vec4<acc_t>(right[v][2]), acc[r][v]);
        acc[r][v] = fma(vec4<acc_t>(a.w), vec4<acc_t>(right[v][3]), acc[r][v]);
      }
    }
  }

  // MEET_ROWS rows at a time; the others move up, so that registers are never indexed by what is known only when the loop runs. Bounds
  // are params, so that no compiler unrolls these loops: an epilogue for each of their steps takes long to compile.
  for (var first = 0u; first < params.rows; first += MEET_ROWS) {
    var sums: array<vec4<f32>, MEET>;
    for (var r = 0u; r < MEET_ROWS; r++) {
      for (var v = 0u; v < STRIPS; v++) { sums[r * STRIPS + v] = vec4<f32>(acc[r][v]); }
    }
    for (var r = 0u; r < ROWS; r++) {
      for (var v = 0u; v < STRIPS; v++) { acc[r][v] = acc[min(r + MEET_ROWS, ROWS - 1u)][v]; }
    }
    meet(&sums, lane, along, size);
    if (along == 0u) {
      for (var i = 0u; i < params.meet; i++) {
        let row = first + i / STRIPS;
        let column = 4u * (quad0 + (i % STRIPS) * ACROSS);
        if (row < params.rows && column < params.columns) { deliver(slice, index, part, row, column, sums[i]); }
      }
    }
  }
}
