// Convolution that multiplies the activations of lists alone. A workgroup owns an output pixel of LANES * EACH filters, a lane EACH sums of
// them. It walks the lists of the pixels under its window; all lanes look at the same activation, each at the weights of its own filters:
//
//     list of a pixel    3.5: channel 2   -1: channel 4   2: channel 7
//                              |
//     w[tap][channel 2]  [ filters 0 .. LANES-1 | LANES .. 2*LANES-1 | .. ]      EACH rows, side by side over lanes
//     sums                += 3.5 * w
//
// A zero costs nothing, not even a look; each sum is one lane's, its terms in the order of taps and channels. After ../output.wgsl and the
// epilogue's files.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  var rest = group;
  let x = next_digit(&rest, params.out_x);
  let y = next_digit(&rest, params.out_y);
  let z = next_digit(&rest, params.out_z);
  let n = next_digit(&rest, params.batch);
  let block = next_digit(&rest, params.blocks);
  let part = rest;
  let front = z * params.stride_z - params.pad_z;
  let top = y * params.stride_y - params.pad_y;
  let left = x * params.stride_x - params.pad_x;
  let volume = (n * params.parts + part) * params.depth;
  // Lanes past the last filter compute it again, and store nothing.
  var own = array<u32, EACH>();
  for (var f = 0u; f < EACH; f++) { own[f] = min((block * EACH + f) * LANES + lane, params.filters - 1u); }

  var sums = array<f32, EACH>();
  var row = part * params.taps * params.channels;
  for (var t = 0u; t < params.kernel_z; t++) {
    let iz = front + t * params.dilation_z;
    for (var r = 0u; r < params.kernel_y; r++) {
      let iy = top + r * params.dilation_y;
      for (var s = 0u; s < params.kernel_x; s++) {
        let ix = left + s * params.dilation_x;
        let inside = iz < params.depth && iy < params.height && ix < params.width;
        let pixel = select(params.pixels + part, ((volume + iz) * params.height + iy) * params.width + ix, inside);
        let first = pixel * params.channels;
        let count = load_counts(pixel);
        for (var i = 0u; i < count; i++) {
          let value = bitcast<f32>(load_list(2u * (first + i)));
          let filters = (row + load_list(2u * (first + i) + 1u)) * params.padded_filters;
          for (var f = 0u; f < EACH; f++) { sums[f] = fma(value, load_w(filters + own[f]), sums[f]); }
        }
        row += params.channels;
      }
    }
  }

  let corner = n * params.y_picture + z * params.y_z + y * params.y_y + x * params.y_x;
  for (var f = 0u; f < EACH; f++) {
    let m = part * params.filters + own[f];
    let index = corner + m / 4u * params.y_quad + m % 4u * params.y_channel;
    if ((block * EACH + f) * LANES + lane < params.filters) {
      store_y(params.y_offset + index, finished(0u, index, 0u, m, sums[f]));
    }
  }
}
