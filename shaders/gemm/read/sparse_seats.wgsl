// The seats of a 2:4 side (sparse.wgsl), a word for each line and eight groups: bound four elements wide.
fn SIDE_words(slice: Slice, line: u32, word: u32) -> vec4<u32> {
  let row = line / PANEL * params.seats_words + word;
  return load_seats((slice.SIDE / WORD_VALUES + row * PANEL + line % PANEL) / 4u);
}
