// Sums of bytes are corrected by zero points as they leave, then finished (../integer/finish-*.wgsl):
//
//   sum over k of (a - za)(b - zb)  =  sum ab  -  zb * sum a  -  za * (sum b  -  depth * zb)
//
// A lane stages the same parts of every stage, so each keeps the sums of its own parts, and all meet in workgroup memory once.

var<workgroup> row_sums: array<atomic<i32>, TILE_ROWS>;
var<workgroup> column_sums: array<atomic<i32>, TILE_COLUMNS>;

fn settle(lane: u32) {
  if (HAS_B_ZERO) { left_settle(lane); }
  if (HAS_A_ZERO) { right_settle(lane); }
  workgroupBarrier();
}

fn deliver(group: u32, slice: Slice, row: u32, column: u32, values: vec4<i32>) {
  var result = values;
  if (HAS_B_ZERO) { result -= b_zeros(slice, column) * atomicLoad(&row_sums[row % TILE_ROWS]); }
  if (HAS_A_ZERO) {
    var sums_of_b = -i32(params.depth) * b_zeros(slice, column);
    for (var j = 0u; j < 4u; j++) { sums_of_b[j] += atomicLoad(&column_sums[column % TILE_COLUMNS + j]); }
    result -= a_zero(slice, row) * sums_of_b;
  }
  finish(slice, row, column, result);
}
