// A product by matrix units, both sides staged in workgroup memory: while the units multiply one stage, the lanes hold the next in
// registers, on its way from memory.
//
//     stage 0  fetch | put |  multiply 0        |
//     stage 1              |  fetch       | put |  multiply 1  ...          a barrier wherever a column ends
//
// A lane brings LEFT_SHARE and RIGHT_SHARE parts of a stage. Loops marked `unrolled` are written out by the plan, so that fragments stay
// in registers.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let part = part_of(group);
  let tile = tile_of(part.tile);
  let slice = slice_of(tile.slice);
  let own_row = subgroup / SUBGROUP_COLUMNS * OWN_ROWS;
  let own_column = subgroup % SUBGROUP_COLUMNS * OWN_COLUMNS;

  var acc: array<result_matrix, FRAGMENTS>;
  var left_next: array<left_t, LEFT_SHARE>;
  var right_next: array<right_t, RIGHT_SHARE>;
  // The first round only fetches, and the last only multiplies.
  for (var round = part.first; round <= part.end; round++) {
    let k0 = round * TILE_DEPTH;
    let more = round < part.end;
    if (more) {
      for (var i = 0u; i < LEFT_SHARE; i++) { // unrolled
        if (left_parts % LANES == 0u || lane + i * LANES < left_parts) {
          left_next[i] = left_fetch(slice, tile.row, k0, lane, i);
        }
      }
      for (var i = 0u; i < RIGHT_SHARE; i++) { // unrolled
        if (right_parts % LANES == 0u || lane + i * LANES < right_parts) {
          right_next[i] = right_fetch(slice, tile.column, k0, lane, i);
        }
      }
    }
    if (round > part.first) {
      let stage = (round - 1u) % STAGES;
      for (var step = 0u; step < STEPS; step++) {
        var left: array<left_matrix, ROWS>;
        for (var r = 0u; r < ROWS; r++) { // unrolled
          left[r] = left_fragment(stage, own_row + r * UNIT_M, step * UNIT_K);
        }
        for (var c = 0u; c < COLUMNS; c++) { // unrolled
          let right = right_fragment(stage, own_column + c * UNIT_N, step * UNIT_K);
          for (var r = 0u; r < ROWS; r++) { // unrolled
            acc[r * COLUMNS + c] = subgroupMatrixMultiplyAccumulate(left[r], right, acc[r * COLUMNS + c]);
          }
        }
      }
      if (STAGES == 1u) { workgroupBarrier(); }
    }
    if (more) {
      for (var i = 0u; i < LEFT_SHARE; i++) { // unrolled
        if (left_parts % LANES == 0u || lane + i * LANES < left_parts) {
          left_put(round % STAGES, lane, i, left_next[i]);
        }
      }
      for (var i = 0u; i < RIGHT_SHARE; i++) { // unrolled
        if (right_parts % LANES == 0u || lane + i * LANES < right_parts) {
          right_put(round % STAGES, lane, i, right_next[i]);
        }
      }
    }
    workgroupBarrier();
  }

  settle(lane);
  for (var n = 0u; n < FRAGMENTS; n++) {
    for (var i = 0u; i < FRAGMENTS; i++) { // unrolled
      if (i == n) { subgroupMatrixStore<row_major>(&sums, subgroup * FRAGMENT, acc[i], UNIT_N / 4u); }
    }
    workgroupBarrier();
    finish_fragments(group, slice, tile.row, tile.column, n, lane);
    workgroupBarrier();
  }
}
