// The device's arithmetic on bytes alone: as fma.wgsl, with chains of packed dot products. Each link reads the sum before it as
// four bytes, multiplies them by four bytes and adds the products to it:
//
//   chain   s ← s + dot(bytes of s, bytes of factor)      8 operations a link
//
// Sums wrap around; what they come to does not matter, only that each needs the one before.
@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y, WORKGROUP_Z)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32
) {
  let group = workgroup_index(id, grid);
  if (group >= params.groups) { return; }
  var chain: array<i32, CHAINS>;
  for (var c = 0u; c < CHAINS; c++) {
    chain[c] = i32(lane + c);
  }
  for (var round = 0u; round < params.rounds; round += UNROLLED) {
    for (var link = 0u; link < UNROLLED; link++) {
      for (var c = 0u; c < CHAINS; c++) {
        chain[c] += dot4I8Packed(bitcast<u32>(chain[c]), params.factor);
      }
    }
  }
  var sum = 0;
  for (var c = 0u; c < CHAINS; c++) {
    sum += chain[c];
  }
  store_y(group * LANES + lane, sum);
}
