// Accessors of the traced build: the same functions as access_fast.wgsl, each logging itself. Words are dyed: weights and inputs
// hold their own index + 1 as value, so that a record of a load, and of a MAC, says which word it really was; padding is dyed
// −(its place in the padded planes + 1). A MAC multiplies the small integers that stand behind the names (`plain`; `plainOf` in
// src/schedule/lowering/trace.ts), so results are exact.
//
// trace: records logged, 0, then records of 7 words: kind (the number of its counter in access_counted.wgsl, 13 for padding),
// workgroup, lane, step, address, value, second value (a MAC: output, weight, input).

var<workgroup> glb: array<f32, GLB_WORDS>;

const RECORD = 7u;
const HEADER = 2u;
var<private> now = 0u;
var<private> who: vec2<u32>;

fn note(kind: u32, address: u32, value: f32, other: f32) {
  let k = atomicAdd(&trace_0[0], 1u);
  if (k >= (arrayLength(&trace_0) - HEADER) / RECORD) { return; }
  let at = HEADER + k * RECORD;
  atomicStore(&trace_0[at], kind);
  atomicStore(&trace_0[at + 1u], who.x);
  atomicStore(&trace_0[at + 2u], who.y);
  atomicStore(&trace_0[at + 3u], now);
  atomicStore(&trace_0[at + 4u], address);
  atomicStore(&trace_0[at + 5u], bitcast<u32>(value));
  atomicStore(&trace_0[at + 6u], bitcast<u32>(other));
}

fn noted(kind: u32, address: u32, value: f32) -> f32 {
  note(kind, address, value, 0.0);
  return value;
}

fn dram_load_weights(i: u32) -> f32 { return noted(1u, i, load_w(i)); }
fn dram_load_inputs(i: u32) -> f32 { return noted(2u, i, load_x(i)); }
fn dram_load_outputs(i: u32) -> f32 { return noted(3u, i, load_y(i)); }
fn dram_store_outputs(i: u32, v: f32) { store_y(i, noted(4u, i, v)); }

fn glb_load_weights(i: u32) -> f32 { return noted(5u, i, glb[i]); }
fn glb_load_inputs(i: u32) -> f32 { return noted(6u, i, glb[i]); }
fn glb_load_outputs(i: u32) -> f32 { return noted(7u, i, glb[i]); }
fn glb_store_weights(i: u32, v: f32) { glb[i] = noted(8u, i, v); }
fn glb_store_inputs(i: u32, v: f32) { glb[i] = noted(9u, i, v); }
fn glb_store_outputs(i: u32, v: f32) { glb[i] = noted(10u, i, v); }

fn padding_input(plane: u32, h: i32, w: i32) -> f32 {
  let rows = (params.P - 1u) * params.stride_y + (params.R - 1u) * params.dilation_y + 1u;
  let columns = (params.Q - 1u) * params.stride_x + (params.S - 1u) * params.dilation_x + 1u;
  let word = (plane * rows + u32(h + params.pad_top)) * columns + u32(w + params.pad_left);
  return noted(13u, word, -f32(word + 1u));
}

fn plain(name: f32) -> f32 {
  if (name <= 0.0) { return 0.0; }
  return f32(((u32(name) * 2654435761u) >> 16u) % 13u) - 6.0;
}

fn trace_mac(weight: f32, input: f32, output: u32) -> f32 {
  note(0u, output, weight, input);
  return plain(weight) * plain(input);
}

fn count_mac() {}
fn count_hop_outputs() { note(11u, 0u, 0.0, 0.0); }
fn count_hop_inputs() { note(12u, 0u, 0.0, 0.0); }
