// Sums meet in workgroup memory alone (vector_meet_memory.wgsl).
fn meet(sums: ptr<function, array<vec4<f32>, MEET>>, lane: u32, along: u32, _size: u32) {
  meet_in_memory(sums, lane, along, 1u);
}
