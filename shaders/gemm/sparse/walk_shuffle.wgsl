// A lane's walk down weights in 2:4 (vector_product.wgsl), only kept values multiplied: lanes of a subgroup hold HELD values of each row
// of A side by side, and each takes those that its own columns have seats for.
//
//     A   row r   k .. k+HELD-1     lane 0 | lane 1 | .. | HELD-1            one load of a subgroup for HELD / 4 groups
//                                      \__  ___/
//     B   group   seats of a lane's     0 2     1 3   ..                      shuffled by seat: acc += A[r][4 * group + seat] * value
//                 quad of columns
//
// A load of seats serves four columns and the eight groups of a word. Where columns of a quad share their seats, so they do a shuffle.

const GROUPS = HELD / 4u;

/// The values of A in four columns' seats.
fn seated(x: f32, seats: vec4<u32>) -> vec4<acc_t> {
  if (SHARE > 1u) { return vec4<acc_t>(acc_t(subgroupShuffle(x, seats.x))); }
  return vec4<acc_t>(vec4<f32>(
    subgroupShuffle(x, seats.x),
    subgroupShuffle(x, seats.y),
    subgroupShuffle(x, seats.z),
    subgroupShuffle(x, seats.w),
  ));
}

// Loops count what all lanes have in common, so that all take part in every shuffle: where ALONG lanes share the depth, past the end of a
// part A is 0.
fn walk(slice: Slice, way: Way, row0: u32, part: u32, acc: ptr<function, Sums>) {
  let end = min(params.seats_words, (part + 1u) * params.part_words);
  for (var word0 = part * params.part_words; word0 < end; word0 += ALONG) {
    let word = min(word0 + way.along, end - 1u);
    let past = select(params.depth, 0u, word0 + way.along >= end);
    var here = word_of(slice, way, word);
    for (var step = 0u; step < min(32u, params.depth - 32u * word0); step += HELD) {
      let k = 32u * word + step + way.lane % HELD;
      var x: array<f32, ROWS>;
      for (var r = 0u; r < ROWS; r++) {
        let value = f32(left_one(slice, min(row0 + r, params.rows - 1u), min(k, params.depth - 1u)));
        x[r] = select(0f, value, k < past);
      }
      for (var v = 0u; v < STRIPS; v++) {
        var first: array<vec4<acc_t>, GROUPS>;
        var second: array<vec4<acc_t>, GROUPS>;
        var one: array<vec4<u32>, GROUPS>;
        var other: array<vec4<u32>, GROUPS>;
        for (var g = 0u; g < GROUPS; g++) {
          let pair = right_pair(slice, column_of(way, v), 8u * word + step / 4u + g);
          first[g] = vec4<acc_t>(pair.first * here.scale[v]);
          second[g] = vec4<acc_t>(pair.second * here.scale[v]);
          one[g] = (here.seats[v] & vec4<u32>(3u)) | vec4<u32>(4u * g);
          other[g] = ((here.seats[v] >> vec4<u32>(2u)) & vec4<u32>(3u)) | vec4<u32>(4u * g);
          here.seats[v] >>= vec4<u32>(4u);
        }
        // All groups for one row before the next: sums that do not fit in registers are fetched and put back once.
        for (var r = 0u; r < ROWS; r++) {
          for (var g = 0u; g < GROUPS; g++) {
            acc[r][v] = fma(seated(x[r], one[g]), first[g], acc[r][v]);
            acc[r][v] = fma(seated(x[r], other[g]), second[g], acc[r][v]);
          }
        }
      }
    }
  }
}
