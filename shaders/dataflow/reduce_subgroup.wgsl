// Spatial reduction over groups of REDUCTION_PAD consecutive lanes (a power of two, within one subgroup), as a tree of shuffles:
//
//   pad 4:  0 ◀─┐    step 2: lanes 2, 3 hand their sums to 0, 1
//           1 ◀─┼─┐  step 1: lane 1 hands its sum to 0
//           2 ──┘ │
//           3 ────┘
//
// Every lane but the first sends once: REDUCTION − 1 hops a result. Idle lanes hold 0 and are not counted.
// The sum is valid in the first lane of each group. Must be called in uniform control flow.
fn reduce_lanes(value: f32, lane: u32, active_lane: bool) -> f32 {
  var sum = value;
  let own = lane % REDUCTION_PAD;
  for (var step = REDUCTION_PAD / 2u; step > 0u; step = step / 2u) {
    sum += subgroupShuffleDown(sum, step);
    if (active_lane && own >= step && own < 2u * step) { count_hop_outputs(); }
  }
  return sum;
}
