// Depthwise convolution for any window, one size of pipeline for all: an invocation owns one line (line_*.wgsl: a filter, or a quad of
// filters side by side) over STRIP outputs of a row, and streams along the rows of the window.
//
//      X, a row under the window   x0 x1 x2 x3 x4 x5          kernel 3, stride 1, STRIP 4
//      tap 0                       v0 v1 v2 v3                sums[o] += w0 * v[o]
//      tap 1                          v0 v1 v2 v3             values move down by one, and one more is loaded
//      tap 2                             v0 v1 v2 v3
//
// Outputs of a strip lie spacing_x apart (../strips/place.wgsl), so that the window of one is that of the one before, moved on by `step_x` taps.
// Taps that are `step_x` apart form a phase, within which every tap needs one new value.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let at = place_of(group, lane);
  let source = source_of(at);
  let left = i32(at.x * params.stride_x) - i32(params.pad_x);
  let top = i32(at.y * params.stride_y) - i32(params.pad_y);
  let front = i32(at.z * params.stride_z) - i32(params.pad_z);
  let step = i32(params.step_x * params.dilation_x);

  var sums: array<value_t, STRIP>;
  let start = bias_at(at.line);
  for (var o = 0u; o < STRIP; o++) { sums[o] = start; }
  var tap = 0u;
  for (var t = 0u; t < params.kernel_z; t++) {
    let z = u32(front + i32(t * params.dilation_z));
    for (var r = 0u; r < params.kernel_y; r++) {
      let y = u32(top + i32(r * params.dilation_y));
      let row = source_row(source, z * params.x_z + y * params.x_y, z < params.depth && y < params.height);
      for (var phase = 0u; phase < min(params.step_x, params.kernel_x); phase++) {
        var x = left + i32(phase * params.dilation_x);
        var v = array<value_t, STRIP>();
        for (var o = 0u; o + 1u < STRIP; o++) {
          v[o] = value_at(row, u32(x));
          x += step;
        }
        for (var s = phase; s < params.kernel_x; s += params.step_x) {
          v[STRIP - 1u] = value_at(row, u32(x));
          x += step;
          let w = filter_at(at.line, tap + s);
          for (var o = 0u; o < STRIP; o++) { sums[o] = fma(w, v[o], sums[o]); }
          for (var o = 0u; o + 1u < STRIP; o++) { v[o] = v[o + 1u]; }
        }
      }
      tap += params.kernel_x;
    }
  }

  for (var o = 0u; o < STRIP; o++) {
    let x = at.x + o * params.spacing_x;
    if (at.valid && x < params.out_x) { finish(at, at.y, x, sums[o]); }
  }
}
