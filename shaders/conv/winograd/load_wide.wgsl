// Four channels of a group at a pixel whose channels begin at `place`, loaded at once: they lie side by side, in whole quads.
// 0 where the pixel is not there.
fn channels_at(place: u32, conv_group: u32, channel: u32, inside: bool) -> vec4<f32> {
  let index = place + (conv_group * params.channels + channel) / 4u * params.x_quad;
  return select(vec4<f32>(), load_x(select(0u, index / 4u, inside)), vec4<bool>(inside));
}
