// Spatial reduction through workgroup memory used as a network, where the lanes of a result do not fit a subgroup: every lane
// but the first hands its word to the first, which adds them in order. REDUCTION − 1 hops a result.
// The sum is valid in the first lane of each group. Must be called in uniform control flow.
var<workgroup> network: array<f32, LANES>;

fn reduce_lanes(value: f32, lane: u32, active_lane: bool) -> f32 {
  network[lane] = value;
  workgroupBarrier();
  let own = lane % REDUCTION_PAD;
  var sum = value;
  if (own == 0u) {
    for (var i = 1u; i < REDUCTION_PAD; i++) { sum += network[lane + i]; }
  } else if (active_lane) {
    count_hop_outputs();
  }
  workgroupBarrier();
  return sum;
}
