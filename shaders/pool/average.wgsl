// Average pooling, one output per invocation, over three spatial axes (an axis that is not there has extent 1).
// The divisor counts the values of the window, and with include_pad = 1 the padding that was asked for, but never what a
// window of ceil mode reaches beyond that.

/// How many of `kernel` elements from `start` on, `dilation` apart, lie before `end`. start < end.
fn reached(start: i32, kernel: u32, dilation: u32, end: u32) -> u32 {
  return min(kernel, (u32(i32(end) - start) + dilation - 1u) / dilation);
}

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
  var rest = index;
  let start2 = i32((rest % params.out2) * params.stride2) - i32(params.before2);
  rest /= params.out2;
  let start1 = i32((rest % params.out1) * params.stride1) - i32(params.before1);
  rest /= params.out1;
  let start0 = i32((rest % params.out0) * params.stride0) - i32(params.before0);
  let plane = rest / params.out0;

  var sum = 0.0;
  var count = 0u;
  for (var k0 = 0u; k0 < params.kernel0; k0++) {
    let at0 = u32(start0 + i32(k0 * params.dilation0));
    if (at0 >= params.in0) { continue; }
    for (var k1 = 0u; k1 < params.kernel1; k1++) {
      let at1 = u32(start1 + i32(k1 * params.dilation1));
      if (at1 >= params.in1) { continue; }
      let line = ((plane * params.in0 + at0) * params.in1 + at1) * params.in2;
      for (var k2 = 0u; k2 < params.kernel2; k2++) {
        let at2 = u32(start2 + i32(k2 * params.dilation2));
        if (at2 >= params.in2) { continue; }
        sum += load_x(line + at2);
        count++;
      }
    }
  }
  if (params.include_pad == 1u) {
    count = reached(start0, params.kernel0, params.dilation0, params.in0 + params.after0)
      * reached(start1, params.kernel1, params.dilation1, params.in1 + params.after1)
      * reached(start2, params.kernel2, params.dilation2, params.in2 + params.after2);
  }
  store_y(index, sum / f32(count));
}
