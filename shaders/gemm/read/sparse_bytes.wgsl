// The kept values of a 2:4 side (sparse.wgsl) that are i8: a word has those of four lines.

/// The two kept values of a group in four lines.
struct Pair { first: vec4<value_t>, second: vec4<value_t> }

fn SIDE_signed(word: u32) -> vec4<value_t> {
  return vec4<value_t>(vec4<i32>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
}

fn SIDE_pair(slice: Slice, line: u32, group: u32) -> Pair {
  let at = SIDE_start(slice, line) + 2u * group * PANEL;
  return Pair(SIDE_signed(load_OPERAND(at / 4u)), SIDE_signed(load_OPERAND((at + PANEL) / 4u)));
}
