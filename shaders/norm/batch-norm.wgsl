// Batch normalisation at inference, one value per invocation: y = (x - mean) * scale / sqrt(variance + epsilon) + bias, the
// statistics one per channel.

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
  let factor = load_scale(channel) / sqrt(load_variance(channel) + params.epsilon);
  store_y(index, (load_x(index) - load_mean(channel)) * factor + load_bias(channel));
}
