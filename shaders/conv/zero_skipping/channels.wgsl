// What the weights of a channel are, once when they are loaded: 0 where all are zero, so that its activations need not be listed; 2 where
// one is NaN or infinite, so that even zeros must be; else 1. A lane owns a channel of a group, [group][channel].

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.all_channels) { return; }
  let part = index / params.channels;
  var kind = 0u;
  for (var m = 0u; m < params.filters; m++) {
    let first = ((part * params.filters + m) * params.channels + index % params.channels) * params.taps;
    for (var tap = 0u; tap < params.taps; tap++) {
      let bits = bitcast<u32>(load_w(first + tap)) & 0x7fffffffu;
      kind = max(kind, select(select(1u, 0u, bits == 0u), 2u, bits >= 0x7f800000u));
    }
  }
  store_kinds(index, kind);
}
