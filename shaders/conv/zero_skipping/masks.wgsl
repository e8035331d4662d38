// First of two dispatches that compress: a bit for each channel of a word whose value must be multiplied. A lane owns a word.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.all_words) { return; }
  let word = word_at(index);
  var mask = 0u;
  for (var i = 0u; i < 32u; i++) {
    let channel = min(word.channel + i, params.channels - 1u);
    let kind = load_kinds(word.part * params.channels + channel);
    // By its bits: -0 is zero, NaN is not.
    let isListed = kind == 2u || (kind == 1u && (bitcast<u32>(value_of(word, channel)) & 0x7fffffffu) != 0u);
    mask |= select(0u, 1u << i, isListed && word.channel + i < params.channels);
  }
  store_masks(index, mask);
}
