// Implicit matrix times vector, for a convolution with one output position: Y[row] = sum over k of left(row, k) * right(k, 0), slice by slice.
//
// LANES = ACROSS * ALONG: ALONG invocations share the depth of a row, stepping by ALONG, and ACROSS blocks of 4 rows lie side
// by side. A plan picks ACROSS = 1 where the matrix is contiguous along k, and more where it is contiguous along the rows,
// so that neighbouring invocations read neighbouring words:
//
//     row = first_row + j * ACROSS + across  (j = 0 .. 3, one component of the accumulator each)
//
// Partial sums meet in workgroup memory, halving the number of shares at each step (ALONG is a power of two).

var<workgroup> partial: array<vec4<f32>, LANES>;

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let slice = slice_of(group / params.row_tiles);
  let across = lane % ACROSS;
  let along = lane / ACROSS;
  let first_row = (group % params.row_tiles) * (4u * ACROSS) + across;

  // Rows past the last are read as the last and never stored.
  var rows: array<u32, 4>;
  for (var j = 0u; j < 4u; j++) { rows[j] = min(first_row + j * ACROSS, params.rows - 1u); }

  let column = column_of(slice, 0u);
  var sum = vec4<f32>();
  for (var k = along; k < params.depth; k += ALONG) {
    let r = load_right(slice, column, depth_of(k));
    var l: vec4<f32>;
    for (var j = 0u; j < 4u; j++) { l[j] = load_left(slice, rows[j], k); }
    sum = fma(l, vec4<f32>(r), sum);
  }

  partial[lane] = sum;
  for (var half = ALONG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (along < half) { partial[lane] += partial[lane + half * ACROSS]; }
  }
  if (along == 0u) {
    let total = partial[lane];
    for (var j = 0u; j < 4u; j++) {
      let row = first_row + j * ACROSS;
      if (row < params.rows) { finish(slice, row, 0u, total[j]); }
    }
  }
}
