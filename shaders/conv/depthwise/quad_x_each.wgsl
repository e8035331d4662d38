// Each of four filters has a channel of its own: several filters a channel, or channels that are no whole quads. Filters past the last
// take the last one's.

/// Where those channels of the picture begin.
alias Source = vec4<u32>;

fn channel_start(filter_index: u32) -> u32 {
  let c = quotient(min(filter_index, params.filters - 1u), params.multiplier, params.multiplier_inverse);
  return c / 4u * params.x_quad + c % 4u * params.x_channel;
}

fn source_of(at: Place) -> Source {
  let first = 4u * at.line;
  return at.n * params.x_picture
    + vec4<u32>(channel_start(first), channel_start(first + 1u), channel_start(first + 2u), channel_start(first + 3u));
}

fn loaded(source: Source, offset: u32, inside: bool) -> vec4<f32> {
  let places = select(vec4<u32>(), source + offset, vec4<bool>(inside));
  return vec4<f32>(load_x(places.x), load_x(places.y), load_x(places.z), load_x(places.w));
}
