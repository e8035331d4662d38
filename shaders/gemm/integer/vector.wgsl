// Product of bytes for a few rows: what it costs is reading B once. A workgroup owns ROWS rows and 4*ACROSS columns; ALONG
// invocations share the depth of a column, each walking its own part of it (vector-walk.wgsl, or walk-two-of-four.wgsl).
//
//     lane = along * ACROSS + across          B   across ->  [4 columns] [4 columns] ...
//                                        along |   words 0, ALONG, 2 ALONG ...
//                                              v   words 1, ALONG + 1, ...
//
// Zero points are linear in the sums, so that each share corrects itself; the shares of a row then meet in workgroup memory.

var<workgroup> shares: array<vec4<i32>, LANES>;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let tiles = group / params.column_tiles;
  let slice = slice_of(tiles / params.row_tiles);
  let first_row = (tiles % params.row_tiles) * ROWS;
  // A constant where one lane has all of the depth: what it reads of A is then the same for all.
  let along = select(lane / ACROSS, 0u, ALONG == 1u);
  let column = ((group % params.column_tiles) * ACROSS + lane % ACROSS) * 4u;
  let read_column = min(column, params.columns - 1u);

  var acc: array<vec4<i32>, ROWS>;
  var row_sums: array<i32, ROWS>;
  var column_sums: vec4<i32>;
  walk(slice, first_row, read_column, along, &acc, &row_sums, &column_sums);

  let zb = b_zeros(slice, column);
  // Other arrays, so that the first stay in registers: the bound is a param, and no compiler unrolls the loop, whose epilogues would take
  // long to compile.
  var sums = acc;
  var sums_of_rows = row_sums;
  for (var i = 0u; i < params.block_rows; i++) {
    let row = first_row + i;
    // The same for the whole workgroup.
    if (row >= params.rows) { break; }
    let za = a_zero(slice, row);
    shares[lane] = sums[i] - zb * sums_of_rows[i] - za * column_sums;
    workgroupBarrier();
    if (along == i % ALONG && column < params.columns) {
      var sum = i32(params.depth) * za * zb;
      for (var j = 0u; j < ALONG; j++) { sum += shares[j * ACROSS + lane % ACROSS]; }
      finish(slice, row, column, sum);
    }
    workgroupBarrier();
  }
}
