// Weight or input stationary: one operand sinks into the lanes and stays, the other streams past it, the sums run down.
//
//              held words, R steps, then nothing
//                 ↓     ↓     ↓
//     streamed → PE → PE → PE      row = tap: enters a step later than the row above (skew)
//     streamed → PE → PE → PE
//                 ↓     ↓     ↓
//              partial sums leave below, column by column a step later
//
// A workgroup is the array; it takes one column of folds, one row fold after another, since each adds to the sums of the last.

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let work = workgroup_index(wid, grid);
  if (work >= params.groups) { return; }
  let g = work / params.column_folds;
  let row = lane / COLUMNS;
  let column = (work % params.column_folds) * COLUMNS + lane % COLUMNS;
  let on_column = column < params.along_columns;
  let slot = (work * LANES + lane) * 3u;

  var half = 0u;
  var held = resumed(slot);
  var streamed = resumed(slot + 1u);
  var sinking = resumed(slot + 2u);
  hand_right(1u, lane, streamed);
  hand_down(1u, lane, sinking);
  workgroupBarrier();

  var fold = params.fold;
  var step = params.step;
  for (var beat = 0u; beat < params.beats; beat++) {
    count_step(lane);
    let tap = fold * ROWS + row;
    let on_row = tap < params.window;
    if (step < ROWS) {
      // The word of the last row enters first. Row r holds, at this step, the word on its way to row R−1−step+r.
      let bound_for = fold * ROWS + ROWS - 1u - step + row;
      held = 0.0;
      if (step >= row && bound_for < params.window && on_column) {
        if (row == 0u) {
          held = inject_held(g, bound_for, column);
        } else {
          held = from_above(half, lane);
          count_hop_held();
        }
      }
      sinking = held;
    } else {
      let skewed = i32(step - ROWS) - i32(row + lane % COLUMNS);
      streamed = 0.0;
      sinking = 0.0;
      if (skewed >= 0 && skewed < i32(params.stream) && on_column) {
        let t = u32(skewed);
        if (on_row) {
          if (lane % COLUMNS == 0u) {
            streamed = inject_streamed(g, tap, t);
          } else {
            streamed = from_left(half, lane);
            count_hop_streamed();
          }
        }
        if (row > 0u) {
          sinking = from_above(half, lane);
          count_hop_outputs();
        }
        if (on_row) {
          sinking += held * streamed;
          count_mac();
        }
        if (row == ROWS - 1u) {
          let at = result_at(g, t, column);
          let last = fold + 1u == params.row_folds;
          if (fold == 0u) { dram_store_outputs(at, sinking, last); }
          else { dram_store_outputs(at, dram_load_outputs(at) + sinking, last); }
        }
      }
    }
    hand_right(half, lane, streamed);
    hand_down(half, lane, sinking);
    workgroupBarrier();
    half = 1u - half;
    step++;
    if (step == params.fold_steps) {
      step = 0u;
      fold++;
    }
  }
  pause(slot, held);
  pause(slot + 1u, streamed);
  pause(slot + 2u, sinking);
  tally(lane);
}
