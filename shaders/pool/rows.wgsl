// Reduces rows of contiguous values to one value each, a workgroup per row: every invocation folds each LANES-th value, then
// the shares meet in workgroup memory, half of them at each step (LANES is a power of two). What folding is, and what becomes
// of the result, is said by mean.wgsl or maximum.wgsl.

var<workgroup> shares: array<f32, LANES>;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_index(wid, grid);
  if (row >= params.groups) { return; }
  var share = params.start;
  for (var i = lane; i < params.row_size; i += LANES) {
    share = combine(share, load_x(row * params.row_size + i));
  }
  shares[lane] = share;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shares[lane] = combine(shares[lane], shares[lane + half]); }
  }
  if (lane == 0u) { store_y(row, finished(shares[0])); }
}
