// Accessors of the counted build: the same functions as access_fast.wgsl, each bumping a private counter of its lane.
// `tally` adds the lanes up: first in workgroup memory, then into 64-bit pairs (low, high) of the operand `counts`.

const COUNTERS = 11u;
var<private> counter: array<u32, 11>;
var<workgroup> tallied: array<atomic<u32>, 11>;

fn dram_load_weights(i: u32) -> f32 { counter[1]++; return load_w(i); }
fn dram_load_inputs(i: u32) -> f32 { counter[2]++; return load_x(i); }
fn dram_load_outputs(i: u32) -> f32 { counter[3]++; return load_sum(i); }
fn dram_store_outputs(i: u32, v: f32, last: bool) { counter[4]++; store_sum(i, v, last); }

fn count_mac() { counter[0]++; }
fn count_injected_weights() { counter[5]++; }
fn count_injected_inputs() { counter[6]++; }
fn count_hop_weights() { counter[7]++; }
fn count_hop_inputs() { counter[8]++; }
fn count_hop_outputs() { counter[9]++; }
// A beat is one of the whole array: its first lane counts it.
fn count_step(lane: u32) { if (lane == 0u) { counter[10]++; } }

fn tally(lane: u32) {
  for (var k = lane; k < COUNTERS; k += LANES) { atomicStore(&tallied[k], 0u); }
  workgroupBarrier();
  for (var k = 0u; k < COUNTERS; k++) { atomicAdd(&tallied[k], counter[k]); }
  workgroupBarrier();
  for (var k = lane; k < COUNTERS; k += LANES) {
    let add = atomicLoad(&tallied[k]);
    let before = atomicAdd(&counts_0[2u * k], add);
    if (before + add < before) { atomicAdd(&counts_0[2u * k + 1u], 1u); }
  }
}
