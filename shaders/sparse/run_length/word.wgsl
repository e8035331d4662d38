// A word taken apart: three pairs, a run in the high bits and the value in the low 16 of each.
fn pairs_of(word: u32) -> vec3<u32> {
  let low = load_words(2u * word);
  let high = load_words(2u * word + 1u);
  return vec3<u32>(high >> 11u, ((high << 10u) | (low >> 22u)) & 0x1fffffu, (low >> 1u) & 0x1fffffu);
}

/// Values that the word holds: its runs, and a value after each. Words past the last hold none.
fn length_of(word: u32) -> u32 {
  let pairs = pairs_of(min(word, params.words - 1u));
  let runs = pairs >> vec3<u32>(16u);
  return select(0u, runs.x + runs.y + runs.z + 3u, word < min(load_counts(0u), params.words));
}
