// Reads the side of a product that holds 2:4 (src/sparsity/two-of-four.ts), four lines at a time, and expands it (any.wgsl says what the
// functions give): what lies between the two kept values of a group is 0. A panel of PANEL lines, groups of depth below one another:
//
//     group g    first kept values of lines 0 1 2 3 ..    second kept values of lines 0 1 2 3 ..    seats of both: a nibble a line,
//                                                                                                  eight groups of it in a word
//
// A load of seats serves four lines and eight groups; where SHARE lines have the same seats, it serves all of them.

/// Seats of a group in four lines; of a k past the depth 4, which is none.
struct Seats { first: vec4<u32>, second: vec4<u32> }

/// The first kept value of a line, as an index of elements.
fn SIDE_start(slice: Slice, line: u32) -> u32 {
  return slice.SIDE + line / PANEL * params.panel_values + line % PANEL;
}

fn SIDE_seats(slice: Slice, line: u32, group: u32, there: bool) -> Seats {
  let pair = SIDE_words(slice, line, group / 8u) >> vec4<u32>(4u * (group % 8u));
  let first = pair & vec4<u32>(3u);
  let second = (pair >> vec4<u32>(2u)) & vec4<u32>(3u);
  return Seats(select(vec4<u32>(4u), first, there), select(vec4<u32>(4u), second, there));
}

fn SIDE_scaled(slice: Slice, line: u32, group: u32) -> Pair {
  let pair = SIDE_pair(slice, line, group);
  let scale = SIDE_scale(line, group);
  return Pair(pair.first * scale, pair.second * scale);
}

/// Seat `i` of four lines.
fn SIDE_seated(pair: Pair, seats: Seats, i: u32) -> vec4<value_t> {
  let second = select(vec4<value_t>(), pair.second, seats.second == vec4<u32>(i));
  return select(second, pair.first, seats.first == vec4<u32>(i));
}

fn SIDE_block(slice: Slice, line: u32, k: u32) -> mat4x4<value_t> {
  let group = min(k / 4u, 8u * params.seats_words - 1u);
  let pair = SIDE_scaled(slice, line, group);
  let seats = SIDE_seats(slice, line, group, k < params.depth);
  return mat4x4<value_t>(
    SIDE_seated(pair, seats, 0u),
    SIDE_seated(pair, seats, 1u),
    SIDE_seated(pair, seats, 2u),
    SIDE_seated(pair, seats, 3u),
  );
}

fn SIDE_across(slice: Slice, line: u32, k: u32) -> vec4<value_t> {
  let group = min(k / 4u, 8u * params.seats_words - 1u);
  return SIDE_seated(SIDE_scaled(slice, line, group), SIDE_seats(slice, line, group, k < params.depth), k % 4u);
}

fn SIDE_one(slice: Slice, line: u32, k: u32) -> value_t {
  return SIDE_across(slice, line / 4u * 4u, k)[line % 4u];
}

fn SIDE_along(slice: Slice, line: u32, k: u32) -> vec4<value_t> {
  return transpose(SIDE_block(slice, line / 4u * 4u, k))[line % 4u];
}
