// A few rows of X times a matrix in CSR: what it costs is reading the entries once. ALONG lanes walk the entries of a line side by
// side, so that neighbours load neighbouring entries, and gather what of X they meet; a workgroup has LINES lines.
//
//     line n   [ e0 e1 e2 e3 | e4 e5 ..         values, columns
//                |  |  |  |    |                                       ALONG = 4
//     along      0  1  2  3    0  1
//     X row r  [ .  x  .  .  x  .  x  x ]       gathered by column
//
// The ALONG sums of a line then meet in workgroup memory. ROWS rows of X share an entry that was loaded.

var<workgroup> shares: array<f32, ROWS * LANES>;

/// Entries of a lane before the loop looks at where it is.
const UNROLLED = 4u;

/// One entry, for all rows.
fn add_entry(entry: u32, row0: u32, acc: ptr<function, array<f32, ROWS>>) {
  let column = index_at(entry);
  let value = load_values(entry);
  for (var r = 0u; r < ROWS; r++) {
    acc[r] = fma(value, load_x(min(row0 + r, params.rows - 1u) * params.depth + column), acc[r]);
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
  let row0 = (group / params.line_tiles) * ROWS;
  let along = lane % ALONG;
  let line = (group % params.line_tiles) * LINES + lane / ALONG;
  // Lines past the last walk nothing.
  let own = min(line, params.columns - 1u);
  let start = load_pointers(own);
  let end = select(start, load_pointers(own + 1u), line < params.columns);

  var acc: array<f32, ROWS>;
  var entry = start + along;
  for (; entry + (UNROLLED - 1u) * ALONG < end; entry += UNROLLED * ALONG) {
    for (var u = 0u; u < UNROLLED; u++) { add_entry(entry + u * ALONG, row0, &acc); }
  }
  for (; entry < end; entry += ALONG) { add_entry(entry, row0, &acc); }

  for (var r = 0u; r < ROWS; r++) { shares[r * LANES + lane] = acc[r]; }
  workgroupBarrier();
  // Each lane of a line finishes some of the rows. The bound is a param, so that no compiler unrolls the epilogue.
  for (var r = along; r < min(params.tile_rows, params.rows - row0); r += ALONG) {
    var sum = 0.0;
    for (var j = 0u; j < ALONG; j++) { sum += shares[r * LANES + lane - along + j]; }
    if (line < params.columns) { finish(Slice(), row0 + r, line, sum); }
  }
}
