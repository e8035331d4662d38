// Activations as they are compressed: pixel by pixel, [picture][group][depth][row][column], channels in words of 32. One pixel more for each
// group stands for all padding. After ../output.wgsl.

struct Word { pixel: u32, part: u32, channel: u32, place: u32, inside: bool }

/// The word at an index: its pixel, group and first channel of the group, and where X has that pixel.
fn word_at(index: u32) -> Word {
  var rest = index;
  let word = next_digit(&rest, params.words);
  let pixel = rest;
  let inside = pixel < params.pixels;
  let x = next_digit(&rest, params.width);
  let y = next_digit(&rest, params.height);
  let z = next_digit(&rest, params.depth);
  let part = next_digit(&rest, params.parts);
  let place = rest * params.x_picture + z * params.x_z + y * params.x_y + x * params.x_x;
  return Word(pixel, select(pixel - params.pixels, part, inside), 32u * word, place, inside);
}

/// A channel of that group.
fn value_of(word: Word, channel: u32) -> f32 {
  let c = word.part * params.channels + channel;
  let index = word.place + c / 4u * params.x_quad + c % 4u * params.x_channel;
  return select(0.0, load_x(select(0u, index, word.inside)), word.inside);
}
