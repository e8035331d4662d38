// A lane's walk down weights in 2:4 (vector_product.wgsl) that saves bytes only: a group's kept values are put where they sit, once for
// all rows, and then multiplied like any others. For rows so many that fetching values of A by seat, row by row, costs more than the
// multiplications by 0.
//
//     first a  second b  seats 0 3   ->   w[0] = a   w[1] = 0   w[2] = 0   w[3] = b
//
// A load of seats serves four columns and the eight groups of a word. The first seat is 0, 1 or 2, the second 1, 2 or 3.

fn expanded(first: vec4<value_t>, second: vec4<value_t>, seats: vec4<u32>) -> mat4x4<value_t> {
  let one = seats & vec4<u32>(3u);
  let other = (seats >> vec4<u32>(2u)) & vec4<u32>(3u);
  let none = vec4<value_t>();
  return mat4x4<value_t>(
    select(none, first, one == vec4<u32>(0u)),
    select(select(none, second, other == vec4<u32>(1u)), first, one == vec4<u32>(1u)),
    select(select(none, second, other == vec4<u32>(2u)), first, one == vec4<u32>(2u)),
    select(none, second, other == vec4<u32>(3u)),
  );
}

fn walk(slice: Slice, way: Way, row0: u32, part: u32, acc: ptr<function, Sums>) {
  let end = min(params.seats_words, (part + 1u) * params.part_words);
  for (var word = part * params.part_words + way.along; word < end; word += ALONG) {
    var here = word_of(slice, way, word);
    for (var k = 32u * word; k < min(32u * word + 32u, params.depth); k += 4u) {
      var right: array<mat4x4<value_t>, STRIPS>;
      for (var v = 0u; v < STRIPS; v++) {
        let pair = right_pair(slice, column_of(way, v), k / 4u);
        right[v] = expanded(pair.first * here.scale[v], pair.second * here.scale[v], here.seats[v]);
        here.seats[v] >>= vec4<u32>(4u);
      }
      for (var r = 0u; r < ROWS; r++) {
        let a = vec4<acc_t>(left_along(slice, min(row0 + r, params.rows - 1u), k));
        for (var v = 0u; v < STRIPS; v++) {
          acc[r][v] = fma(vec4<acc_t>(a.x), vec4<acc_t>(right[v][0]), acc[r][v]);
          acc[r][v] = fma(vec4<acc_t>(a.y), vec4<acc_t>(right[v][1]), acc[r][v]);
          acc[r][v] = fma(vec4<acc_t>(a.z), vec4<acc_t>(right[v][2]), acc[r][v]);
          acc[r][v] = fma(vec4<acc_t>(a.w), vec4<acc_t>(right[v][3]), acc[r][v]);
        }
      }
    }
  }
}
