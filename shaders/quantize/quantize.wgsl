// y = saturate(round half to even(x / scale) + zero point), in bytes from LEAST to MOST. An invocation makes a word:
//
//     x[4i] x[4i+1] x[4i+2] x[4i+3]   ->   y word i  [ b3 b2 b1 b0 ]
//
// Infinities saturate; NaN becomes the zero point.

fn quantised(x: f32, at: u32) -> u32 {
  let quotient = x / load_scales(at);
  // Beyond 1024 every zero point is left behind, so the integer conversion is always in range.
  var whole = round(clamp(quotient, -1024.0, 1024.0));
  if ((bitcast<u32>(quotient) & 0x7fffffffu) > 0x7f800000u) { whole = 0.0; }
  return u32(clamp(i32(whole) + zero_at(at), LEAST, MOST)) & 0xffu;
}

@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let first = 4u * (group * LANES + lane);
  if (first >= params.count) { return; }
  var word = 0u;
  for (var j = 0u; j < min(4u, params.count - first); j++) {
    let index = first + j;
    word |= quantised(f32(load_x(index)), scale_index(index)) << (8u * j);
  }
  store_y(first / 4u, word);
}
