// y[n, c, i] = max over k of x[n, c·pool + k, i] (Goodfellow et al. 2013); NaN wherever one of them is NaN. After order_*.wgsl.

@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.count) { return; }
  // c·pool + k for all (n, c) in one: x is [N·C, pool, inner], y is [N·C, inner].
  let inner = index % params.inner;
  var at = (index / params.inner) * params.pool * params.inner + inner;
  var best = load_x(at);
  for (var k = 1u; k < params.pool; k++) {
    at += params.inner;
    best = larger(best, load_x(at));
  }
  store_y(index, best);
}
