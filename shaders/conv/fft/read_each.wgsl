// Two channels of a position of X, one by one; 0 outside, and for a channel past the last.
fn source_of(pair: u32) -> u32 { return pair / 2u * params.x_quad + pair % 2u * 2u * params.x_channel; }

fn pair_at(at: u32, pair: u32, inside: bool) -> vec2<f32> {
  let both = inside && 2u * pair + 1u < params.channels;
  let first = load_x(select(0u, at, inside));
  let second = load_x(select(0u, at + params.x_channel, both));
  return vec2<f32>(select(0.0, first, inside), select(0.0, second, both));
}
