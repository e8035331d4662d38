// Softmax, a workgroup per row: exp(x - max) / sum of exp(x - max). A row's values lie `inner` apart. The invocations share
// the row twice, for its maximum and for the sum; their shares meet in workgroup memory, half of them at each step.

/// What no finite value lies below (and no infinity can be written in WGSL).
const LEAST = -3.4028234663852886e38f;

var<workgroup> shares: array<f32, LANES>;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(wid, grid);
  if (row >= params.groups) { return; }
  let start = (row / params.inner) * params.size * params.inner + row % params.inner;

  var share = LEAST;
  for (var i = lane; i < params.size; i += LANES) { share = max(share, load_x(start + i * params.inner)); }
  shares[lane] = share;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shares[lane] = max(shares[lane], shares[lane + half]); }
  }
  workgroupBarrier();
  let greatest = shares[0];
  workgroupBarrier();

  share = 0.0;
  for (var i = lane; i < params.size; i += LANES) { share += exp(load_x(start + i * params.inner) - greatest); }
  shares[lane] = share;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shares[lane] += shares[lane + half]; }
  }
  workgroupBarrier();
  let total = shares[0];

  for (var i = lane; i < params.size; i += LANES) {
    let at = start + i * params.inner;
    store_y(at, exp(load_x(at) - greatest) / total);
  }
}
