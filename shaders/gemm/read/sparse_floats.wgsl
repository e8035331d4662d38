// The kept values of a 2:4 side (sparse.wgsl) that are floats: bound four elements wide.

/// The two kept values of a group in four lines.
struct Pair { first: vec4<value_t>, second: vec4<value_t> }

fn SIDE_pair(slice: Slice, line: u32, group: u32) -> Pair {
  let at = SIDE_start(slice, line) + 2u * group * PANEL;
  return Pair(vec4<value_t>(load_OPERAND(at / 4u)), vec4<value_t>(load_OPERAND((at + PANEL) / 4u)));
}
