// The seats of a 2:4 side (sparse.wgsl) that SHARE lines have in common: a word for all of them, bound one element wide.
fn SIDE_words(_slice: Slice, line: u32, word: u32) -> vec4<u32> {
  return vec4<u32>(load_seats(word * params.seats_step + line / SHARE));
}
