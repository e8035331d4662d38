// Max pooling with the positions of the maxima, in nchw: one output per invocation, over three spatial axes (an axis that is not there
// has extent 1).
// Padding is never the maximum; NaN is, and among equals the first. A window of nothing but padding gives params.start.

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

  var found = false;
  var best = x_t(params.start);
  var best0 = 0u;
  var best1 = 0u;
  var best2 = 0u;
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
        let value = load_x(line + at2);
        if (!found || value > best || (is_nan(value) && !is_nan(best))) {
          found = true;
          best = value;
          best0 = at0;
          best1 = at1;
          best2 = at2;
        }
      }
    }
  }
  store_y(index, best);
  note_index(index, plane, vec3<u32>(best0, best1, best2));
}
