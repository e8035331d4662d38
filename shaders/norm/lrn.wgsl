// Local response normalisation across channels, one value per invocation: y = x / (bias + scale * sum of squares)^beta, the sum
// over the channels from `before` below to `after` above, as far as there are such; scale = alpha / size.

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
  let channel = (index / params.inner) % params.channels;
  let first = index - min(channel, params.before) * params.inner;
  let steps = min(channel, params.before) + min(params.channels - 1u - channel, params.after);
  var squares = 0.0;
  for (var i = 0u; i <= steps; i++) {
    let value = load_x(first + i * params.inner);
    squares = fma(value, value, squares);
  }
  store_y(index, load_x(index) / pow(params.bias + params.scale * squares, params.beta));
}
