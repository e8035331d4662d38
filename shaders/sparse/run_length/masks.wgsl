// First of four dispatches that encode: a lane looks at 32 values and keeps a bit for each that is not 0, a workgroup joins its lanes'
// stretches. After stretch.wgsl and scan.wgsl, and value_DTYPE.wgsl.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let place = group * LANES + lane;
  var mask = 0u;
  for (var i = 0u; i < 32u; i++) {
    let index = 32u * place + i;
    let value = value_at(min(index, params.count - 1u));
    mask |= select(0u, 1u << i, value != 0u && index < params.count);
  }
  if (place < params.masks) { store_masks(place, mask); }
  let part = stretch_of(mask);
  let sum = joined(before(lane, part), part);
  if (lane == LANES - 1u) {
    store_blocks(3u * group, sum.x);
    store_blocks(3u * group + 1u, sum.y);
    store_blocks(3u * group + 2u, sum.z);
  }
}
