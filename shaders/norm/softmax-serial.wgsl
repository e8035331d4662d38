// Softmax, a row per invocation, for short rows: exp(x - max) / sum of exp(x - max). A row's values lie `inner` apart, so that
// neighbouring invocations read neighbouring words where the axis is not the last.

/// What no finite value lies below (and no infinity can be written in WGSL).
const LEAST = -3.4028234663852886e38f;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let row = group * LANES + lane;
  if (row >= params.rows) { return; }
  let start = (row / params.inner) * params.size * params.inner + row % params.inner;

  var greatest = LEAST;
  for (var i = 0u; i < params.size; i++) { greatest = max(greatest, load_x(start + i * params.inner)); }
  var total = 0.0;
  for (var i = 0u; i < params.size; i++) { total += exp(load_x(start + i * params.inner) - greatest); }
  for (var i = 0u; i < params.size; i++) {
    let at = start + i * params.inner;
    store_y(at, exp(load_x(at) - greatest) / total);
  }
}
