// Depthwise convolution, unrolled for a small window: an invocation owns one line (line_*.wgsl: a filter, or a quad of filters side by
// side) over TALL rows of STRIP outputs each. It walks down the rows of X under its outputs and loads each value once for all of them:
//
//                    STRIP outputs, spacing_x apart
//                  +---+---+---+---+                    X: SPAN_Y rows of SPAN_X values, dilation apart
//         TALL     | o | o | o | o |
//     spacing_y    +---+---+---+---+                    output (m, o), tap (r, s) reads X at
//                  | o | o | o | o |                        row m * STEP_Y + r,  column o * STEP_X + s
//                  +---+---+---+---+
//
// spacing = dilation / gcd(stride, dilation) and STEP = stride / gcd, so that any stride and dilation shares what is loaded (../strips/place.wgsl).
// All bounds are constants: sums stay in registers, and no loop carries them (software adapters blend what a loop carries by masks).

const SPAN_X = (STRIP - 1u) * STEP_X + KERNEL_X;
const SPAN_Y = (TALL - 1u) * STEP_Y + KERNEL_Y;

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

  var sums: array<value_t, TALL * STRIP>;
  let start = bias_at(at.line);
  for (var o = 0u; o < TALL * STRIP; o++) { sums[o] = start; }
  var w: array<value_t, KERNEL_Y * KERNEL_X>;
  for (var k = 0u; k < KERNEL_Y * KERNEL_X; k++) { w[k] = filter_at(at.line, k); }
  for (var i = 0u; i < SPAN_Y; i++) {
    let y = u32(top + i32(i * params.dilation_y));
    let row = source_row(source, y * params.x_y, y < params.height);
    var v: array<value_t, SPAN_X>;
    for (var j = 0u; j < SPAN_X; j++) { v[j] = value_at(row, u32(left + i32(j * params.dilation_x))); }
    for (var m = 0u; m < TALL; m++) {
      // Past the last row of the window, or before the first, which as u32 is past the last.
      let r = i - m * STEP_Y;
      if (r < KERNEL_Y) {
        for (var s = 0u; s < KERNEL_X; s++) {
          for (var o = 0u; o < STRIP; o++) {
            sums[m * STRIP + o] = fma(w[r * KERNEL_X + s], v[o * STEP_X + s], sums[m * STRIP + o]);
          }
        }
      }
    }
  }

  for (var m = 0u; m < TALL; m++) {
    for (var o = 0u; o < STRIP; o++) {
      let y = at.y + m * params.spacing_y;
      let x = at.x + o * params.spacing_x;
      if (at.valid && y < params.out_y && x < params.out_x) { finish(at, y, x, sums[m * STRIP + o]); }
    }
  }
}
