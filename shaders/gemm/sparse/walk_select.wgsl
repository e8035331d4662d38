// A lane's walk down weights in 2:4 (vector_product.wgsl), only kept values multiplied, on any device: all lanes have the four values of
// A of a group, and each selects those that its own columns have seats for. The first seat is 0, 1 or 2, the second 1, 2 or 3:
//
//     seat bits   00   01   10   11         first   z where bit 1, else y where bit 0, else x
//     value of A   x    y    z    w         second  (w where bit 0, else z) where bit 1, else y
//
// A load of seats serves four columns and the eight groups of a word.

fn walk(slice: Slice, way: Way, row0: u32, part: u32, acc: ptr<function, Sums>) {
  let end = min(params.seats_words, (part + 1u) * params.part_words);
  for (var word = part * params.part_words + way.along; word < end; word += ALONG) {
    var here = word_of(slice, way, word);
    for (var k = 32u * word; k < min(32u * word + 32u, params.depth); k += 4u) {
      var first: array<vec4<acc_t>, STRIPS>;
      var second: array<vec4<acc_t>, STRIPS>;
      for (var v = 0u; v < STRIPS; v++) {
        let pair = right_pair(slice, column_of(way, v), k / 4u);
        first[v] = vec4<acc_t>(pair.first * here.scale[v]);
        second[v] = vec4<acc_t>(pair.second * here.scale[v]);
      }
      for (var r = 0u; r < ROWS; r++) {
        let a = vec4<acc_t>(left_along(slice, min(row0 + r, params.rows - 1u), k));
        for (var v = 0u; v < STRIPS; v++) {
          let bits = here.seats[v];
          let low = select(vec4<acc_t>(a.x), vec4<acc_t>(a.y), (bits & vec4<u32>(1u)) != vec4<u32>());
          let high = select(vec4<acc_t>(a.z), vec4<acc_t>(a.w), (bits & vec4<u32>(4u)) != vec4<u32>());
          acc[r][v] = fma(select(low, vec4<acc_t>(a.z), (bits & vec4<u32>(2u)) != vec4<u32>()), first[v], acc[r][v]);
          acc[r][v] = fma(select(vec4<acc_t>(a.y), high, (bits & vec4<u32>(8u)) != vec4<u32>()), second[v], acc[r][v]);
        }
      }
      for (var v = 0u; v < STRIPS; v++) { here.seats[v] >>= vec4<u32>(4u); }
    }
  }
}
