// Input stationary: columns are pixels, the stream is filters.
fn inject_held(g: u32, tap: u32, column: u32) -> f32 { return inject_inputs(g, column, tap); }
fn inject_streamed(g: u32, tap: u32, t: u32) -> f32 { return inject_weights(g, tap, t); }
fn result_at(g: u32, t: u32, column: u32) -> u32 { return output_at(g, column, t); }
fn count_hop_held() { count_hop_inputs(); }
fn count_hop_streamed() { count_hop_weights(); }
