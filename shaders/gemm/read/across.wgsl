// Reads one side of a product whose lines lie side by side, four lines at a time (any.wgsl says what the functions give). The
// operand OPERAND is bound four elements wide; the step of k and the slices are multiples of 4; line is a multiple of 4 but in
// SIDE_one and SIDE_along. Values of lines past the last are undefined.

fn SIDE_one(slice: Slice, line: u32, k: u32) -> value_t {
  return value_t(load_OPERAND((slice.SIDE + line + k * params.SIDE_depth) / 4u)[line % 4u]);
}

fn SIDE_along(slice: Slice, line: u32, k: u32) -> vec4<value_t> {
  var quad = vec4<value_t>();
  for (var i = 0u; i < 4u; i++) {
    if (WHOLE_DEPTH || k + i < params.depth) { quad[i] = SIDE_one(slice, line, k + i); }
  }
  return quad;
}

fn SIDE_across(slice: Slice, line: u32, k: u32) -> vec4<value_t> {
  return vec4<value_t>(load_OPERAND((slice.SIDE + line + k * params.SIDE_depth) / 4u));
}

fn SIDE_block(slice: Slice, line: u32, k: u32) -> mat4x4<value_t> {
  var block = mat4x4<value_t>();
  for (var i = 0u; i < 4u; i++) {
    if (WHOLE_DEPTH || k + i < params.depth) { block[i] = SIDE_across(slice, line, k + i); }
  }
  return block;
}
