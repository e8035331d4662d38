// What lanes load of weights in 2:4 once for a word of eight groups (vector_product.wgsl, walk_*.wgsl).

/// Seats and scales of a lane's quads of columns.
struct Word { seats: array<vec4<u32>, STRIPS>, scale: array<vec4<value_t>, STRIPS> }

fn column_of(way: Way, v: u32) -> u32 {
  return 4u * min(way.quad0 + v * ACROSS, (params.columns - 1u) / 4u);
}

fn word_of(slice: Slice, way: Way, word: u32) -> Word {
  var result: Word;
  for (var v = 0u; v < STRIPS; v++) {
    let column = column_of(way, v);
    result.seats[v] = right_words(slice, column, word);
    result.scale[v] = right_scale(column, 8u * word);
  }
  return result;
}
