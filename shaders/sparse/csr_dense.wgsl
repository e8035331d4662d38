// Many rows of X times a matrix in CSR. X lies transposed, [depth, rows], so that lanes over rows load neighbours; all ACROSS lanes of
// a line walk the same entries, which are uniform where a workgroup has one line:
//
//     line n   [ e0 e1 e2 .. ]                one entry (column c, value v) at a time
//     Xt row c [ x0 x1 x2 x3 x4 x5 x6 x7 ]    lane a has rows a, a + ACROSS, ..  (STRIPS of them)
//                |  |  |  |                   acc += v * x
//
// No sums have to meet. UNROLLED entries go before the loop looks at where it is: on a software adapter a loop costs as much as they do.

const UNROLLED = 4u;

/// One entry, for all rows of a lane.
fn add_entry(entry: u32, row0: u32, acc: ptr<function, array<f32, STRIPS>>) {
  let first = index_at(entry) * params.rows;
  let value = load_values(entry);
  for (var s = 0u; s < STRIPS; s++) {
    acc[s] = fma(value, load_x(first + min(row0 + s * ACROSS, params.rows - 1u)), acc[s]);
  }
}

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let row0 = (group / params.line_tiles) * (ACROSS * STRIPS) + lane % ACROSS;
  // Of one line a workgroup, what is uniform stays so.
  let line = (group % params.line_tiles) * LINES + select(lane / ACROSS, 0u, LINES == 1u);
  if (line >= params.columns) { return; }
  let end = load_pointers(line + 1u);

  var acc: array<f32, STRIPS>;
  var entry = load_pointers(line);
  for (; entry + UNROLLED <= end; entry += UNROLLED) {
    for (var u = 0u; u < UNROLLED; u++) { add_entry(entry + u, row0, &acc); }
  }
  for (; entry < end; entry++) { add_entry(entry, row0, &acc); }
  for (var s = 0u; s < params.strips; s++) {
    let row = row0 + s * ACROSS;
    if (row < params.rows) { finish(Slice(), row, line, acc[s]); }
  }
}
