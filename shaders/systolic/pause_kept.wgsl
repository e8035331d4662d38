// The steps are cut into several dispatches, so that none runs too long: what the lanes hold waits in storage between them.
fn resumed(slot: u32) -> f32 {
  if (params.resumes == 0u) { return 0.0; }
  return load_state(slot);
}
fn pause(slot: u32, v: f32) { store_state(slot, v); }
