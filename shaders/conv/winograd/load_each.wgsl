// Four channels of a group at a pixel whose channels begin at `place`, loaded one by one. 0 where the pixel is not there, and for
// channels past the group's last.
fn channels_at(place: u32, conv_group: u32, channel: u32, inside: bool) -> vec4<f32> {
  var values = vec4<f32>();
  for (var i = 0u; i < 4u; i++) {
    let c = conv_group * params.channels + channel + i;
    let there = inside && channel + i < params.channels;
    let index = place + c / 4u * params.x_quad + c % 4u * params.x_channel;
    values[i] = select(0.0, load_x(select(0u, index, there)), there);
  }
  return values;
}
