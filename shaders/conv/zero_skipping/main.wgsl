// Convolution that multiplies the activations of lists alone, input by input. A workgroup owns WIDE outputs of a row, of LANES * EACH filters; a
// lane has sums of its own for EACH of them. Each pixel under the windows stays while its list meets the weights of every tap at which one
// of the outputs sees it; all lanes look at the same activation, each at the weights of its own filters:
//
//     list of a pixel    3.5: channel 2   -1: channel 4   2: channel 7             pixel j is seen by output o at tap s
//                              |                                                    where o * stride + s * dilation = j
//     w[tap][channel 2]  [ filters 0 .. LANES-1 | LANES .. 2*LANES-1 | .. ]
//     sums of output o    += 3.5 * w
//
// While a list meets a tap, the sums of its output are in registers; between, they are in workgroup memory, where a lane touches no other's.
// A zero costs nothing, not even a look; the terms of a sum are in the order of taps and channels.
// After ../output.wgsl and the epilogue's files.

var<workgroup> sums: array<f32, WIDE * EACH * LANES>;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  var rest = group;
  let first_x = WIDE * next_digit(&rest, params.strips_x);
  let y = next_digit(&rest, params.out_y);
  let z = next_digit(&rest, params.out_z);
  let n = next_digit(&rest, params.batch);
  let block = next_digit(&rest, params.blocks);
  let part = rest;
  let front = z * params.stride_z - params.pad_z;
  let top = y * params.stride_y - params.pad_y;
  let left = first_x * params.stride_x - params.pad_x;
  let volume = (n * params.parts + part) * params.depth;
  // Lanes past the last filter compute it again, and store nothing.
  var own = array<u32, EACH>();
  for (var f = 0u; f < EACH; f++) { own[f] = min((block * EACH + f) * LANES + lane, params.filters - 1u); }

  // Places of the last output that there is, and of its last tap, from the first output's first.
  let last = (min(WIDE, params.out_x - first_x) - 1u) * params.stride_x;
  let reach = last + (params.kernel_x - 1u) * params.dilation_x;
  for (var i = 0u; i < WIDE * EACH; i++) { sums[i * LANES + lane] = 0.0; }
  var row = part * params.taps * params.channels;
  for (var t = 0u; t < params.kernel_z; t++) {
    let iz = front + t * params.dilation_z;
    for (var r = 0u; r < params.kernel_y; r++) {
      let iy = top + r * params.dilation_y;
      for (var j = 0u; j <= reach; j++) {
        let ix = left + j;
        let inside = iz < params.depth && iy < params.height && ix < params.width;
        let pixel = select(params.pixels + part, ((volume + iz) * params.height + iy) * params.width + ix, inside);
        let first = pixel * params.channels;
        let count = load_counts(pixel);
        for (var s = 0u; s < select(0u, params.kernel_x, count > 0u); s++) {
          // Behind the last output where the tap is behind the pixel.
          let place = min(j - s * params.dilation_x, last + 1u);
          let o = quotient(place, params.stride_x, 1.0 / f32(params.stride_x));
          if (place <= last && o * params.stride_x == place) {
            var sum = array<f32, EACH>();
            for (var f = 0u; f < EACH; f++) { sum[f] = sums[(o * EACH + f) * LANES + lane]; }
            for (var i = 0u; i < count; i++) {
              let value = bitcast<f32>(load_list(2u * (first + i)));
              let filters = (row + s * params.channels + load_list(2u * (first + i) + 1u)) * params.padded_filters;
              for (var f = 0u; f < EACH; f++) { sum[f] = fma(value, load_w(filters + own[f]), sum[f]); }
            }
            for (var f = 0u; f < EACH; f++) { sums[(o * EACH + f) * LANES + lane] = sum[f]; }
          }
        }
      }
      row += params.kernel_x * params.channels;
    }
  }

  for (var o = 0u; o < WIDE; o++) {
    let x = first_x + o;
    let corner = n * params.y_picture + z * params.y_z + y * params.y_y + x * params.y_x;
    for (var f = 0u; f < EACH; f++) {
      let m = part * params.filters + own[f];
      let index = corner + m / 4u * params.y_quad + m % 4u * params.y_channel;
      if ((block * EACH + f) * LANES + lane < params.filters && x < params.out_x) {
        store_y(params.y_offset + index, finished(0u, index, 0u, m, sums[(o * EACH + f) * LANES + lane]));
      }
    }
  }
}
