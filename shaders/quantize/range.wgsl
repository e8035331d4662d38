// The least and the largest value of a share of x, 0 included: workgroup g of `shares` takes every shares-th run of LANES values and
// leaves its pair at extremes[2g], extremes[2g+1].
//
//     x   [ run 0 ][ run 1 ] ... [ run shares ] ...        lane l of workgroup g: values g*LANES + l, + shares*LANES, ...

var<workgroup> least: array<f32, LANES>;
var<workgroup> most: array<f32, LANES>;

@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  var low = 0.0;
  var high = 0.0;
  for (var i = group * LANES + lane; i < params.count; i += params.shares * LANES) {
    low = min(low, load_x(i));
    high = max(high, load_x(i));
  }
  least[lane] = low;
  most[lane] = high;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      least[lane] = min(least[lane], least[lane + half]);
      most[lane] = max(most[lane], most[lane + half]);
    }
  }
  if (lane == 0u) {
    store_extremes(2u * group, least[0]);
    store_extremes(2u * group + 1u, most[0]);
  }
}
