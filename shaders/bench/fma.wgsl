// The device's arithmetic alone: every invocation keeps CHAINS vectors of four in registers and lets each run through
// `rounds` fused multiply-adds that depend on the one before. Nothing is loaded, one value is stored at the end so that
// no compiler may leave the work out.
//
//   chain 0   x ← x·factor + term ← x·factor + term ← …      8 operations a link
//   chain 1   x ← x·factor + term ← …                        (CHAINS of them hide each other's latency)
//
// With 0 ≤ factor < 1 every chain tends to term / (1 − factor): no infinities, no denormal numbers.
@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y, WORKGROUP_Z)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32
) {
  let group = workgroup_index(id, grid);
  if (group >= params.groups) { return; }
  let factor = vec4<number>(number(params.factor));
  let term = vec4<number>(number(params.term));
  var chain: array<vec4<number>, CHAINS>;
  for (var c = 0u; c < CHAINS; c++) {
    chain[c] = vec4<number>(number(lane + c)) * factor;
  }
  for (var round = 0u; round < params.rounds; round += UNROLLED) {
    for (var link = 0u; link < UNROLLED; link++) {
      for (var c = 0u; c < CHAINS; c++) {
        chain[c] = fma(chain[c], factor, term);
      }
    }
  }
  var sum = vec4<number>();
  for (var c = 0u; c < CHAINS; c++) {
    sum += chain[c];
  }
  store_y(group * LANES + lane, f32(sum.x + sum.y + sum.z + sum.w));
}
