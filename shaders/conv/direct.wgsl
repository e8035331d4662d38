// Direct convolution, one output per invocation, in the order they lie in memory: legal for every convolution, quick for none but those
// whose groups are small. Padding reads as 0. After the epilogue's files; output_LAYOUT.wgsl says what lies at an index of Y.

fn channel_at(c: u32) -> u32 { return c / 4u * params.x_quad + c % 4u * params.x_channel; }

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
  if (at.filter_index >= params.all_filters) { return; }
  let first_channel = quotient(at.filter_index, params.filters, 1.0 / f32(params.filters)) * params.channels;
  let front = i32(at.z * params.stride_z) - i32(params.pad_z);
  let top = i32(at.y * params.stride_y) - i32(params.pad_y);
  let left = i32(at.x * params.stride_x) - i32(params.pad_x);

  var k = at.filter_index * params.channels * params.kernel_z * params.kernel_y * params.kernel_x;
  var sum = 0.0;
  for (var c = 0u; c < params.channels; c++) {
    let plane = at.n * params.x_picture + channel_at(first_channel + c);
    for (var t = 0u; t < params.kernel_z; t++) {
      let z = u32(front + i32(t * params.dilation_z));
      for (var r = 0u; r < params.kernel_y; r++) {
        let y = u32(top + i32(r * params.dilation_y));
        for (var s = 0u; s < params.kernel_x; s++) {
          let x = u32(left + i32(s * params.dilation_x));
          let inside = z < params.depth && y < params.height && x < params.width;
          let place = plane + z * params.x_z + y * params.x_y + x * params.x_x;
          sum = fma(load_w(k), select(0.0, load_x(select(0u, place, inside)), inside), sum);
          k++;
        }
      }
    }
  }
  let filter_place = at.filter_index / 4u * params.y_quad + at.filter_index % 4u * params.y_channel;
  let place = at.n * params.y_picture + filter_place + at.z * params.y_z + at.y * params.y_y + at.x * params.y_x;
  store_y(params.y_offset + place, finished(0u, index, 0u, at.filter_index, sum));
}
