// Fourth: three pairs of 21 bits and the end bit make a word, its low half first. Words past the last are 0.
//
//     high  [ pair 0 . . . . . . . . . 21 b ][ pair 1, 11 b ]
//     low   [ pair 1, 10 b ][ pair 2 . . . . . . . . . 21 b ][end]

fn pair_at(index: u32, pairs: u32) -> u32 { return select(0u, load_pairs(min(index, params.pairs - 1u)), index < pairs); }

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let word = group * LANES + lane;
  if (word >= params.count) { return; }
  let words = load_counts(0u);
  let pairs = load_counts(1u);
  let second = pair_at(3u * word + 1u, pairs);
  store_words(2u * word, (second << 22u) | (pair_at(3u * word + 2u, pairs) << 1u) | select(0u, 1u, word + 1u == words));
  store_words(2u * word + 1u, (pair_at(3u * word, pairs) << 11u) | (second >> 10u));
}
