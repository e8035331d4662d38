// From the extremes of all shares to one scale and zero point of u8: scale = (most - least) / 255 (1 where all values are 0),
// zero point = saturate(round half to even(-least / scale)).
@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
  if (workgroup_index(wid, grid) >= params.groups) { return; }
  var low = 0.0;
  var high = 0.0;
  for (var g = 0u; g < params.shares; g++) {
    low = min(low, load_extremes(2u * g));
    high = max(high, load_extremes(2u * g + 1u));
  }
  var scale = (high - low) / 255.0;
  if (scale == 0.0) { scale = 1.0; }
  store_scale(0u, scale);
  store_zero(0u, u32(clamp(round(-low / scale), 0.0, 255.0)));
}
