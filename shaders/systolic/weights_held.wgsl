// Weight stationary: columns are filters, the stream is pixels.
fn inject_held(g: u32, tap: u32, column: u32) -> f32 { return inject_weights(g, tap, column); }
fn inject_streamed(g: u32, tap: u32, t: u32) -> f32 { return inject_inputs(g, t, tap); }
fn result_at(g: u32, t: u32, column: u32) -> u32 { return output_at(g, t, column); }
fn count_hop_held() { count_hop_weights(); }
fn count_hop_streamed() { count_hop_inputs(); }
