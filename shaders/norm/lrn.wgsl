// Local response normalisation across channels, one value per invocation: y = x / (bias + scale * sum of squares)^beta, the sum
// over the channels from `before` below to `after` above, as far as there are such; scale = alpha / size.
// Channel c of a position lies at c / step * inner + c % step from the first (ChannelWalk of src/ops/layout.ts). After quotient.wgsl.

fn place_of(channel: u32) -> u32 { return channel / params.step * params.inner + channel % params.step; }

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.count) { return; }
  let outer = quotient(index, params.inner, params.inner_inverse);
  let spans = quotient(outer, params.span, params.span_inverse);
  let channel = (outer - spans * params.span) * params.step + index % params.step;
  let origin = index - place_of(channel);
  let first = channel - min(channel, params.before);
  let last = channel + min(params.span * params.step - 1u - channel, params.after);
  var squares = 0.0;
  for (var c = first; c <= last; c++) {
    let value = load_x(origin + place_of(c));
    squares = fma(value, value, squares);
  }
  store_y(index, load_x(index) / pow(params.bias + params.scale * squares, params.beta));
}
