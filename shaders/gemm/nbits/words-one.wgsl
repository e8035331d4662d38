// Packed weights a word at a time.

const WORDS = 1u;

/// [0]: word `word` of a block, of the four columns from `column` on.
fn words_at(column: u32, block: u32, word: u32) -> array<vec4<u32>, WORDS> {
  var words = vec4<u32>();
  for (var j = 0u; j < 4u; j++) {
    words[j] = load_b((min(column + j, params.columns - 1u) * params.blocks + block) * params.block_words + word);
  }
  return array<vec4<u32>, WORDS>(words);
}
