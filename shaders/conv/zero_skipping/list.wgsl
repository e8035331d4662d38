// Second: the pixel's list, in the order of its channels: what the words before hold is where a word's own begin.
//
//     pixel   0  0  3.5  0  -1  0  0  2        list   3.5: 2   -1: 4   2: 7   .  .  .        count   3

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
  let first = word.pixel * params.channels;
  var at = 0u;
  for (var before = word.pixel * params.words; before < index; before++) { at += countOneBits(load_masks(before)); }
  for (var mask = load_masks(index); mask != 0u; mask &= mask - 1u) {
    let channel = word.channel + countTrailingZeros(mask);
    store_list(2u * (first + at), bitcast<u32>(value_of(word, channel)));
    store_list(2u * (first + at) + 1u, channel);
    at++;
  }
  if (word.channel + 32u >= params.channels) { store_counts(word.pixel, at); }
}
