// Third: a lane puts the values of its word, up to three, where their runs end. Y was zeros. After word.wgsl, sum.wgsl, scan.wgsl and
// put_DTYPE.wgsl.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let word = group * LANES + lane;
  let own = length_of(word);
  var at = load_blocks(group) + before(lane, own);
  if (own == 0u) { return; }
  let pairs = pairs_of(word);
  for (var i = 0u; i < 3u; i++) {
    at += pairs[i] >> 16u;
    let value = pairs[i] & 0xffffu;
    if (value != 0u && at < params.count) { put(at, value); }
    at++;
  }
}
