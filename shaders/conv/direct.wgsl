// Direct convolution, one output per invocation, in the order they lie in memory: for groups of few filters (depthwise above
// all), where a tile of filters would be mostly empty. Padding reads as 0.

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
  let q = index % params.out_width;
  var rest = index / params.out_width;
  let p = rest % params.out_height;
  rest /= params.out_height;
  let filters = params.conv_groups * params.rows;
  let filter_index = rest % filters;
  let n = rest / filters;
  let first_channel = (filter_index / params.rows) * params.channels;
  let top = i32(p * params.stride_y) - i32(params.pad_top);
  let left = i32(q * params.stride_x) - i32(params.pad_left);

  var k = filter_index * params.depth;
  var sum = 0.0;
  for (var c = 0u; c < params.channels; c++) {
    let plane = (n * params.conv_groups * params.channels + first_channel + c) * params.height * params.width;
    for (var r = 0u; r < params.kernel_height; r++) {
      let y = u32(top + i32(r * params.dilation_y));
      for (var s = 0u; s < params.kernel_width; s++) {
        let x = u32(left + i32(s * params.dilation_x));
        var value = 0.0;
        if (y < params.height && x < params.width) { value = load_x(plane + y * params.width + x); }
        sum = fma(load_w(k), value, sum);
        k++;
      }
    }
  }
  store_y(index, activated(sum + bias_of(filter_index)));
}
