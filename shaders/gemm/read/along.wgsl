// Reads one side of a product whose lines lie contiguous along the depth, four values at a time (any.wgsl says what the functions
// give). The operand OPERAND is bound four elements wide; lines and slices begin at multiples of 4; k is a multiple of 4 but in
// SIDE_one and SIDE_across.

fn SIDE_one(slice: Slice, line: u32, k: u32) -> value_t {
  return value_t(load_OPERAND((slice.SIDE + line * params.SIDE_line + k) / 4u)[k % 4u]);
}

fn SIDE_along(slice: Slice, line: u32, k: u32) -> vec4<value_t> {
  if (WHOLE_DEPTH) { return vec4<value_t>(load_OPERAND((slice.SIDE + line * params.SIDE_line + k) / 4u)); }
  if (k >= params.depth) { return vec4<value_t>(); }
  let quad = vec4<value_t>(load_OPERAND((slice.SIDE + line * params.SIDE_line + k) / 4u));
  return select(vec4<value_t>(), quad, vec4<u32>(k) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(params.depth));
}

fn SIDE_across(slice: Slice, line: u32, k: u32) -> vec4<value_t> {
  var quad: vec4<value_t>;
  for (var i = 0u; i < 4u; i++) { quad[i] = SIDE_one(slice, min(line + i, params.SIDE_lines - 1u), k); }
  return quad;
}

fn SIDE_block(slice: Slice, line: u32, k: u32) -> mat4x4<value_t> {
  let last = params.SIDE_lines - 1u;
  return transpose(mat4x4<value_t>(
    SIDE_along(slice, min(line, last), k),
    SIDE_along(slice, min(line + 1u, last), k),
    SIDE_along(slice, min(line + 2u, last), k),
    SIDE_along(slice, min(line + 3u, last), k),
  ));
}
