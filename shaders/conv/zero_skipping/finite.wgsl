// Whether a weight is NaN or infinite, once when weights are loaded: then nothing may be skipped.

var<workgroup> found: atomic<u32>;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  if (workgroup_index(wid, grid) >= params.groups) { return; }
  var own = 0u;
  for (var i = lane; i < params.count; i += LANES) {
    own |= select(0u, 1u, (bitcast<u32>(load_w(i)) & 0x7f800000u) == 0x7f800000u);
  }
  atomicOr(&found, own);
  workgroupBarrier();
  if (lane == 0u) { store_dense(0u, atomicLoad(&found)); }
}
