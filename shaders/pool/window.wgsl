// Pooling over three spatial axes (an axis that is not there has extent 1), in any layout: one output per invocation, which is a value,
// or a quad of channels where those lie side by side. X is [outer][in0][in1][in2][inner], and Y alike:
//
//     nchw    outer: pictures and channels, inner: 1             nhwc   outer: pictures, inner: channels (or quads of them)
//     nchw4   outer: pictures and quads of channels, inner: 1
//
// Padding is never folded in. After quotient.wgsl and a file that says what folding is (mean.wgsl, maximum.wgsl).

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
  let position = quotient(index, params.inner, params.inner_inverse);
  let channel = index - position * params.inner;
  let row = quotient(position, params.out2, params.out2_inverse);
  let plane = quotient(row, params.out1, params.out1_inverse);
  let outer = quotient(plane, params.out0, params.out0_inverse);
  let start2 = i32((position - row * params.out2) * params.stride2) - i32(params.before2);
  let start1 = i32((row - plane * params.out1) * params.stride1) - i32(params.before1);
  let start0 = i32((plane - outer * params.out0) * params.stride0) - i32(params.before0);

  var folded = x_t(params.start);
  var count = 0u;
  for (var k0 = 0u; k0 < params.kernel0; k0++) {
    let at0 = u32(start0 + i32(k0 * params.dilation0));
    for (var k1 = 0u; k1 < params.kernel1; k1++) {
      let at1 = u32(start1 + i32(k1 * params.dilation1));
      let inside1 = at0 < params.in0 && at1 < params.in1;
      let line = ((outer * params.in0 + at0) * params.in1 + at1) * params.in2;
      for (var k2 = 0u; k2 < params.kernel2; k2++) {
        let at2 = u32(start2 + i32(k2 * params.dilation2));
        let inside = inside1 && at2 < params.in2;
        let value = load_x(select(0u, (line + at2) * params.inner + channel, inside));
        folded = select(folded, combine(folded, value), flag_t(inside));
        count += select(0u, 1u, inside);
      }
    }
  }
  // The divisor may count the padding that was asked for, but never what a window of ceil mode reaches beyond that.
  if (params.include_pad == 1u) {
    count = reached(start0, params.kernel0, params.dilation0, params.in0 + params.after0)
      * reached(start1, params.kernel1, params.dilation1, params.in1 + params.after1)
      * reached(start2, params.kernel2, params.dilation2, params.in2 + params.after2);
  }
  store_y(params.y_offset + position * params.y_step + channel, finished(folded, count));
}
