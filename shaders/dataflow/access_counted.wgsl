// Accessors of the counted build: the same functions as access_fast.wgsl, each bumping a private counter of its lane.
// `tally` adds the lanes up: first in workgroup memory, then into 64-bit pairs (low, high) of the operand `counts`.

var<workgroup> glb: array<f32, GLB_WORDS>;

const COUNTERS = 13u;
var<private> counter: array<u32, 13>;
var<workgroup> sums: array<atomic<u32>, 13>;

fn dram_load_weights(i: u32) -> f32 { counter[1]++; return load_w(i); }
fn dram_load_inputs(i: u32) -> f32 { counter[2]++; return load_x(i); }
fn dram_load_outputs(i: u32) -> f32 { counter[3]++; return load_y(i); }
fn dram_store_outputs(i: u32, v: f32) { counter[4]++; store_y(i, v); }

fn glb_load_weights(i: u32) -> f32 { counter[5]++; return glb[i]; }
fn glb_load_inputs(i: u32) -> f32 { counter[6]++; return glb[i]; }
fn glb_load_outputs(i: u32) -> f32 { counter[7]++; return glb[i]; }
fn glb_store_weights(i: u32, v: f32) { counter[8]++; glb[i] = v; }
fn glb_store_inputs(i: u32, v: f32) { counter[9]++; glb[i] = v; }
fn glb_store_outputs(i: u32, v: f32) { counter[10]++; glb[i] = v; }

fn padding_input(plane: u32, h: i32, w: i32) -> f32 { return 0.0; }
fn count_mac() { counter[0]++; }
fn count_hop_outputs() { counter[11]++; }
fn count_hop_inputs() { counter[12]++; }

fn tally(lane: u32) {
  for (var k = lane; k < COUNTERS; k += LANES) { atomicStore(&sums[k], 0u); }
  workgroupBarrier();
  for (var k = 0u; k < COUNTERS; k++) { atomicAdd(&sums[k], counter[k]); }
  workgroupBarrier();
  for (var k = lane; k < COUNTERS; k += LANES) {
    let add = atomicLoad(&sums[k]);
    let before = atomicAdd(&counts_0[2u * k], add);
    if (before + add < before) { atomicAdd(&counts_0[2u * k + 1u], 1u); }
  }
}
