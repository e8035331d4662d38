// A product of a few rows with a matrix that is read once: every lane walks down quads of columns, a share of the depth each.
//
// ROWS rows meet 4*STRIPS*ACROSS columns in a workgroup. A lane owns STRIPS quads of columns, ACROSS quads apart; ALONG lanes (and
// params.parts workgroups) share the depth of a quad:
//
//                             across 0    across 1  ..   B
//      depth quad 0  along 0 [ 4 x 4 ]    [ 4 x 4 ]          walk (vector_walk.wgsl, sparse/walk*.wgsl) adds up A[r][k] * B[k][quad]
//                 1  along 1 [ 4 x 4 ]    [ 4 x 4 ]          for k of the lane's share,
//                ..                                          then the ALONG sums of a quad meet (vector_meet_*.wgsl),
//             ALONG  along 0 [ 4 x 4 ]    [ 4 x 4 ]          and the first lane of them delivers (vector_deliver_*.wgsl)
//
// ACROSS_STEP and ALONG_STEP say how lanes lie: side by side along what is contiguous in B, so that a load of a subgroup is one run
// of memory. With ALONG = 1 the depth is the same for all lanes, and loads of A are uniform.

const MEET = MEET_ROWS * STRIPS;

// Arrays are as long as the loops over them, by which compilers see that these must be unrolled and sums are registers.
alias Sums = array<array<vec4<acc_t>, STRIPS>, ROWS>;

/// What a lane walks: its quads of columns from `quad0` on, its share `along` of a part of the depth.
struct Way { lane: u32, quad0: u32, along: u32 }

/// The share of workgroup `group`; `size` is that of its subgroups where meet() uses them. Tiles of rows come first: workgroups that
/// follow one another read the same columns of B.
fn product_of(group: u32, lane: u32, size: u32) {
  let row0 = group % params.row_tiles * ROWS;
  let strip = group / params.row_tiles;
  let tiles = strip / params.column_tiles;
  let index = tiles / params.parts;
  let slice = slice_of(index);
  let part = tiles % params.parts;
  let along = (lane / ALONG_STEP) % ALONG;
  let quad0 = (strip % params.column_tiles) * (ACROSS * STRIPS) + (lane / ACROSS_STEP) % ACROSS;

  var acc: Sums;
  walk(slice, Way(lane, quad0, along), row0, part, &acc);

  // MEET_ROWS rows at a time; the others move up, so that registers are never indexed by what is known only when the loop runs. Bounds
  // are params, so that no compiler unrolls these loops: an epilogue for each of their steps takes long to compile.
  let end = min(params.rows, row0 + ROWS);
  for (var first = row0; first < end; first += MEET_ROWS) {
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
        if (row < end && column < params.columns) { deliver(slice, index, part, row, column, sums[i]); }
      }
    }
  }
}
