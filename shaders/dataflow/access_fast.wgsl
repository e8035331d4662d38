// Accessors of the fast build: every operand is touched through one function per address space. The counted build
// (access_counted.wgsl) has the same functions with a counter in each; nothing else in a dataflow kernel indexes memory.

var<workgroup> glb: array<f32, GLB_WORDS>;

fn dram_load_weights(i: u32) -> f32 { return load_w(i); }
fn dram_load_inputs(i: u32) -> f32 { return load_x(i); }
fn dram_load_outputs(i: u32) -> f32 { return load_y(i); }
fn dram_store_outputs(i: u32, v: f32) { store_y(i, v); }

fn glb_load_weights(i: u32) -> f32 { return glb[i]; }
fn glb_load_inputs(i: u32) -> f32 { return glb[i]; }
fn glb_load_outputs(i: u32) -> f32 { return glb[i]; }
fn glb_store_weights(i: u32, v: f32) { glb[i] = v; }
fn glb_store_inputs(i: u32, v: f32) { glb[i] = v; }
fn glb_store_outputs(i: u32, v: f32) { glb[i] = v; }

fn padding_input(plane: u32, h: i32, w: i32) -> f32 { return 0.0; }
fn count_mac() {}
fn count_hop_outputs() {}
fn count_hop_inputs() {}
fn tally(lane: u32) {}
