// Convolution that multiplies non-zero activations alone. A workgroup owns TALL rows of STRIP outputs of LANES * EACH filters; its lanes hold
// the sums. Channel by channel, each activation of a row's list meets the taps of its row of filters, all that it meets in the tile:
//
//     mask   . . x . . . x .        an activation at place j of the row meets tap s of output o where o * STEP_X + s = j
//                |       |
//     sums   [o0  o1  o2  o3  o4]   each lane adds them for filters of its own, in the order of the list
//
// All lanes look at the same activation, so that a zero is skipped by all at once, and each sum is one lane's: nothing is added by two, and
// the order does not depend on when lanes run. Rows of filters that are zero for all the workgroup's filters are skipped too, before their
// activations are looked at. After ../output.wgsl, strip.wgsl and the epilogue's files.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  var rest = group;
  let strip = next_digit(&rest, params.strips_x);
  let top = TALL * next_digit(&rest, params.strips_y);
  let z = next_digit(&rest, params.out_z);
  let n = next_digit(&rest, params.batch);
  let block = next_digit(&rest, params.blocks);
  let part = rest;
  let window_rows = params.kernel_z * params.kernel_y;
  let first_row = (part * params.blocks + block) * params.channels * window_rows;

  var sums = array<f32, TALL * STRIP * EACH>();
  for (var c = 0u; c < params.channels; c++) {
    let volume = (n * params.all_channels + part * params.channels + c) * params.rows_z + z * params.stride_z;
    for (var t = 0u; t < params.kernel_z; t++) {
      let plane = (volume + t * params.dilation_z) * params.rows_y + top * params.stride_y;
      for (var r = 0u; r < params.kernel_y; r++) {
        let row = (c * params.kernel_z + t) * params.kernel_y + r;
        let segment = (plane + r * params.dilation_y) * params.strips_x + strip;
        var masks = array<u32, TALL>();
        var any = 0u;
        for (var p = 0u; p < TALL; p++) {
          masks[p] = load_masks(segment + p * params.stride_y * params.strips_x);
          any |= masks[p];
        }
        if (any * load_rows(first_row + row) != 0u) {
          var w = array<f32, KERNEL_X * EACH>();
          let start = (part * params.channels * window_rows + row) * KERNEL_X;
          for (var s = 0u; s < KERNEL_X; s++) {
            for (var f = 0u; f < EACH; f++) {
              w[s * EACH + f] = load_w((start + s) * params.padded_filters + (block * EACH + f) * LANES + lane);
            }
          }
          for (var p = 0u; p < TALL; p++) {
            var at = (segment + p * params.stride_y * params.strips_x) * SPAN;
            if (masks[p] != 0u) {
              for (var j = 0u; j < SPAN; j++) {
                if ((masks[p] & (1u << j)) != 0u) {
                  let value = load_list(at);
                  at++;
                  for (var o = 0u; o < STRIP; o++) {
                    let s = j - o * STEP_X;
                    if (s < KERNEL_X) {
                      for (var f = 0u; f < EACH; f++) {
                        let sum = (p * STRIP + o) * EACH + f;
                        sums[sum] = fma(value, w[s * EACH + f], sums[sum]);
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  for (var f = 0u; f < EACH; f++) {
    let own = (block * EACH + f) * LANES + lane;
    let m = part * params.filters + own;
    let column = n * params.y_picture + m / 4u * params.y_quad + m % 4u * params.y_channel + z * params.y_z;
    for (var p = 0u; p < TALL; p++) {
      let y = top + p;
      for (var o = 0u; o < STRIP; o++) {
        let x = start_of(strip) + o * params.spacing_x;
        if (own < params.filters && y < params.out_y && x < params.out_x) {
          let index = column + y * params.y_y + x * params.y_x;
          store_y(params.y_offset + index, finished(0u, index, 0u, m, sums[(p * STRIP + o) * EACH + f]));
        }
      }
    }
  }
}
