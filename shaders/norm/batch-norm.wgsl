// Batch normalisation at inference, one value per invocation: y = (x - mean) * scale / sqrt(variance + epsilon) + bias, the
// statistics one per channel. Which channel an element has is said by ChannelWalk (src/ops/layout.ts). After quotient.wgsl.

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
  // Places past the last channel of the last quad are nobody's.
  let channel = min((outer - spans * params.span) * params.step + index % params.step, params.last_channel);
  let factor = load_scale(channel) / sqrt(load_variance(channel) + params.epsilon);
  store_y(index, (load_x(index) - load_mean(channel)) * factor + load_bias(channel));
}
