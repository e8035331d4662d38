// Two channels of a position of X, out of the quad that lies there; 0 outside, and for a channel past the last.
fn source_of(pair: u32) -> u32 { return pair / 2u * params.x_quad; }

fn pair_at(at: u32, pair: u32, inside: bool) -> vec2<f32> {
  let quad = load_x(select(0u, at / 4u, inside));
  let two = select(quad.xy, quad.zw, pair % 2u == 1u);
  return select(vec2<f32>(), two, vec2<bool>(inside, inside && 2u * pair + 1u < params.channels));
}
