// A product by matrix units, fragments loaded straight from memory: no staging, no barriers, but each fragment is loaded by every
// subgroup that needs it. Loops marked `unrolled` are written out by the plan, so that fragments stay in registers.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let tile = tile_of(group);
  let slice = slice_of(tile.slice);
  let row = tile.row + subgroup / SUBGROUP_COLUMNS * OWN_ROWS;
  let column = tile.column + subgroup % SUBGROUP_COLUMNS * OWN_COLUMNS;

  var acc: array<result_matrix, FRAGMENTS>;
  for (var k = 0u; k < params.depth; k += UNIT_K) {
    var left: array<left_matrix, ROWS>;
    for (var r = 0u; r < ROWS; r++) { // unrolled
      left[r] = left_fragment(slice, row + r * UNIT_M, k);
    }
    for (var c = 0u; c < COLUMNS; c++) { // unrolled
      let right = right_fragment(slice, column + c * UNIT_N, k);
      for (var r = 0u; r < ROWS; r++) { // unrolled
        acc[r * COLUMNS + c] = subgroupMatrixMultiplyAccumulate(left[r], right, acc[r * COLUMNS + c]);
      }
    }
  }

  for (var n = 0u; n < FRAGMENTS; n++) {
    for (var i = 0u; i < FRAGMENTS; i++) { // unrolled
      if (i == n) { subgroupMatrixStore<row_major>(&sums, subgroup * FRAGMENT, acc[i], UNIT_N / 4u); }
    }
    workgroupBarrier();
    finish_fragments(group, slice, tile.row, tile.column, n, lane);
    workgroupBarrier();
  }
}
