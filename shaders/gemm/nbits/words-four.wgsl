// Packed weights four words at a time, where blocks are whole fours of words.

const WORDS = 4u;

fn four_words(column: u32, block: u32, word: u32) -> vec4<u32> {
  return load_b(((min(column, params.columns - 1u) * params.blocks + block) * params.block_words + word) / 4u);
}

/// [w]: word `word` + w of a block, of the four columns from `column` on; `word` is a multiple of 4.
fn words_at(column: u32, block: u32, word: u32) -> array<vec4<u32>, WORDS> {
  let c0 = four_words(column, block, word);
  let c1 = four_words(column + 1u, block, word);
  let c2 = four_words(column + 2u, block, word);
  let c3 = four_words(column + 3u, block, word);
  return array<vec4<u32>, WORDS>(
    vec4<u32>(c0.x, c1.x, c2.x, c3.x),
    vec4<u32>(c0.y, c1.y, c2.y, c3.y),
    vec4<u32>(c0.z, c1.z, c2.z, c3.z),
    vec4<u32>(c0.w, c1.w, c2.w, c3.w),
  );
}
