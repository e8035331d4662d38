// A product whose tiles need no workgroup memory: values of A reach all lanes of a subgroup by shuffles, values of B stay with their lane.
//
// A subgroup of SIZE lanes owns ROWS rows by 4*STRIPS*SIZE columns; a lane owns STRIPS quads of columns, SIZE quads apart. For each four
// steps of depth a lane loads the 4 x 4 block of B under each of its quads, and the subgroup loads ROWS quads of A, a quad a lane:
//
//                              lane 0      lane 1   ...          B   4 deep
//                            +-----------+-----------+
//      A   row 0  (lane 0)   | acc[0]    | acc[0]    |
//          row 1  (lane 1)   | acc[1]    | acc[1]    |           acc[r] += A[r][k] * B[k][lane's quad], k = 0 .. 3,
//          ...               |           |           |           A[r][k] shuffled from the lane that loaded it
//
// Where STAGED, sums pass through workgroup memory to a loop that stays a loop; otherwise there is no workgroup memory.
// Where ROWS < SIZE one load brings SPAN = SIZE / ROWS quads of depth for each row, otherwise PARTS = ROWS / SIZE loads bring one.

// Sums on their way to the epilogue, each lane's own (no barrier is needed).
var<workgroup> sums: array<vec4<f32>, select(1u, ROWS * STRIPS * LANES, STAGED)>;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  // Row tiles first: workgroups that follow one another read the same columns of B.
  let tiles = group / params.row_tiles;
  let slice = slice_of(tiles / params.column_tiles);
  let lane = index % SIZE;
  let row0 = (group % params.row_tiles) * ROWS;
  let quad0 = ((tiles % params.column_tiles) * (WORKGROUP_X / SIZE) + index / SIZE) * (SIZE * STRIPS) + lane;
  let last_quad = (params.columns - 1u) / 4u;

  var acc: array<vec4<acc_t>, ROWS * STRIPS>;
  for (var k0 = 0u; k0 < params.depth; k0 += 4u * SPAN) {
    var left: array<vec4<value_t>, PARTS>;
    for (var p = 0u; p < PARTS; p++) {
      left[p] = left_along(slice, min(row0 + p * SIZE + lane % ROWS, params.rows - 1u), k0 + 4u * (lane / ROWS));
    }
    for (var s = 0u; s < SPAN; s++) {
      let k = k0 + 4u * s;
      if (SPAN > 1u && k >= params.depth) { break; }
      var right: array<mat4x4<value_t>, STRIPS>;
      for (var v = 0u; v < STRIPS; v++) { right[v] = right_block(slice, 4u * min(quad0 + v * SIZE, last_quad), k); }
      for (var p = 0u; p < PARTS; p++) {
        for (var r = 0u; r < min(ROWS, SIZE); r++) {
          let a = vec4<acc_t>(subgroupShuffle(left[p], s * ROWS + r));
          for (var v = 0u; v < STRIPS; v++) {
            let at = (p * SIZE + r) * STRIPS + v;
            acc[at] = fma(vec4<acc_t>(a.x), vec4<acc_t>(right[v][0]), acc[at]);
            acc[at] = fma(vec4<acc_t>(a.y), vec4<acc_t>(right[v][1]), acc[at]);
            acc[at] = fma(vec4<acc_t>(a.z), vec4<acc_t>(right[v][2]), acc[at]);
            acc[at] = fma(vec4<acc_t>(a.w), vec4<acc_t>(right[v][3]), acc[at]);
          }
        }
      }
    }
  }

  if (STAGED) {
    for (var i = 0u; i < ROWS * STRIPS; i++) { sums[i * LANES + index] = vec4<f32>(acc[i]); }
    // The bound is a param, so that no compiler unrolls the loop: an epilogue for each of its steps takes long to compile.
    for (var i = 0u; i < params.stored; i++) {
      let row = row0 + i / STRIPS;
      let column = 4u * (quad0 + (i % STRIPS) * SIZE);
      if (row < params.rows && column < params.columns) { finish_quad(slice, row, column, sums[i * LANES + index]); }
    }
  } else {
    for (var i = 0u; i < ROWS * STRIPS; i++) {
      let row = row0 + i / STRIPS;
      let column = 4u * (quad0 + (i % STRIPS) * SIZE);
      if (row < params.rows && column < params.columns) { finish_quad(slice, row, column, vec4<f32>(acc[i])); }
    }
  }
}
