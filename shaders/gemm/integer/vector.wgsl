// Product of bytes for a few rows: what it costs is reading B once. A workgroup owns ROWS rows and 4*ACROSS columns; ALONG
// invocations share the depth of a column, each taking every ALONG-th word of it.
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
  let along = lane / ACROSS;
  let column = ((group % params.column_tiles) * ACROSS + lane % ACROSS) * 4u;
  let read_column = min(column, params.columns - 1u);

  var acc: array<vec4<i32>, ROWS>;
  var row_sums: array<i32, ROWS>;
  var column_sums: vec4<i32>;
  for (var k = 4u * along; k < params.depth; k += 4u * ALONG) {
    let r = load_right(slice, k, read_column);
    if (HAS_A_ZERO) { column_sums += dots(ONES, r); }
    for (var i = 0u; i < ROWS; i++) {
      let l = load_left(slice, min(first_row + i, params.rows - 1u), k);
      acc[i] += dots(l, r);
      if (HAS_B_ZERO) { row_sums[i] += dot_bytes(ONES, l); }
    }
  }

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
