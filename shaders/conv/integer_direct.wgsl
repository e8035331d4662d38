// Convolution of bytes, one output per invocation: for groups of few filters. What lies in the padding adds nothing. u8 values are moved by
// 128 (SHIFT_A, SHIFT_B) as their zero points are. After the sides' functions; output_nchw.wgsl says what lies at an index of Y.

/// There is one.
struct Slice { at: vec4<u32> }

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.outputs) { return; }
  let at = output_at(index);
  let first_channel = quotient(at.filter_index, params.filters, 1.0 / f32(params.filters)) * params.channels;
  let front = i32(at.z * params.stride_z) - i32(params.pad_z);
  let top = i32(at.y * params.stride_y) - i32(params.pad_y);
  let left = i32(at.x * params.stride_x) - i32(params.pad_x);
  let filter_zero = SHIFT_A + a_zero(Slice(), at.filter_index);
  let value_zero = SHIFT_B + b_zero(Slice(), 0u);

  var k = at.filter_index * params.channels * params.kernel_z * params.kernel_y * params.kernel_x;
  var sum = 0;
  for (var c = 0u; c < params.channels; c++) {
    let plane = at.n * params.all_channels + first_channel + c;
    for (var t = 0u; t < params.kernel_z; t++) {
      let z = u32(front + i32(t * params.dilation_z));
      for (var r = 0u; r < params.kernel_y; r++) {
        let y = u32(top + i32(r * params.dilation_y));
        for (var s = 0u; s < params.kernel_x; s++) {
          let x = u32(left + i32(s * params.dilation_x));
          let inside = z < params.depth && y < params.height && x < params.width;
          let place = ((plane * params.depth + z) * params.height + y) * params.width + x;
          let value = i32(load_x(select(0u, place, inside))) - value_zero;
          sum += select(0, (i32(load_w(k)) - filter_zero) * value, inside);
          k++;
        }
      }
    }
  }
  store_y(index, finished(at.filter_index, sum));
}
