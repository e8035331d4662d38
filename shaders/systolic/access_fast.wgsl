// Accessors of the fast build: storage is touched only here. The counted build (access_counted.wgsl) has the same functions with
// a counter in each.

fn dram_load_weights(i: u32) -> f32 { return load_w(i); }
fn dram_load_inputs(i: u32) -> f32 { return load_x(i); }
fn dram_load_outputs(i: u32) -> f32 { return load_sum(i); }
fn dram_store_outputs(i: u32, v: f32, last: bool) { store_sum(i, v, last); }

fn count_mac() {}
fn count_injected_weights() {}
fn count_injected_inputs() {}
fn count_hop_weights() {}
fn count_hop_inputs() {}
fn count_hop_outputs() {}
fn count_step(lane: u32) {}
fn tally(lane: u32) {}
