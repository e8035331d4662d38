// The kept values of a 2:4 side (sparse.wgsl) of four bits: a byte has both of a group, the first lower, and a word those of four lines.

/// The two kept values of a group in four lines.
struct Pair { first: vec4<value_t>, second: vec4<value_t> }

fn SIDE_signed(shifted: vec4<u32>) -> vec4<value_t> {
  return vec4<value_t>(vec4<i32>(shifted) >> vec4<u32>(28u));
}

fn SIDE_pair(slice: Slice, line: u32, group: u32) -> Pair {
  let word = vec4<u32>(load_OPERAND((SIDE_start(slice, line) + group * PANEL) / 4u));
  return Pair(SIDE_signed(word << vec4<u32>(28u, 20u, 12u, 4u)), SIDE_signed(word << vec4<u32>(24u, 16u, 8u, 0u)));
}
