// Lanes that have the whole depth to themselves have nothing to meet.
fn meet(_sums: ptr<function, array<vec4<f32>, MEET>>, _lane: u32, _along: u32, _size: u32) {}
