// Output stationary: every lane keeps one sum; inputs run right, weights run down, and meet.
//
//                weights (column = filter, each a step later than the one to its left)
//                 ↓     ↓     ↓
//     inputs  →  PE → PE → PE      row = pixel: enters a step later than the row above (skew)
//     inputs  →  PE → PE → PE
//
// A workgroup is the array, and takes one fold; at its end each lane stores its sum.

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let work = workgroup_index(wid, grid);
  if (work >= params.groups) { return; }
  let fold = work / params.column_folds;
  let g = fold / params.row_folds;
  let row = lane / COLUMNS;
  let pixel = (fold % params.row_folds) * ROWS + row;
  let m = (work % params.column_folds) * COLUMNS + lane % COLUMNS;
  let on = pixel < params.along_rows && m < params.along_columns;
  let slot = (work * LANES + lane) * 3u;

  var half = 0u;
  var sum = resumed(slot);
  var x = resumed(slot + 1u);
  var w = resumed(slot + 2u);
  hand_right(1u, lane, x);
  hand_down(1u, lane, w);
  workgroupBarrier();

  for (var beat = 0u; beat < params.beats; beat++) {
    count_step(lane);
    let skewed = i32(params.step + beat) - i32(row + lane % COLUMNS);
    x = 0.0;
    w = 0.0;
    if (on && skewed >= 0 && skewed < i32(params.stream)) {
      let tap = u32(skewed);
      if (lane % COLUMNS == 0u) {
        x = inject_inputs(g, pixel, tap);
      } else {
        x = from_left(half, lane);
        count_hop_inputs();
      }
      if (row == 0u) {
        w = inject_weights(g, tap, m);
      } else {
        w = from_above(half, lane);
        count_hop_weights();
      }
      sum += w * x;
      count_mac();
    }
    hand_right(half, lane, x);
    hand_down(half, lane, w);
    workgroupBarrier();
    half = 1u - half;
  }
  if (on && params.step + params.beats == params.fold_steps) { dram_store_outputs(output_at(g, pixel, m), sum, true); }
  pause(slot, sum);
  pause(slot + 1u, x);
  pause(slot + 2u, w);
  tally(lane);
}
