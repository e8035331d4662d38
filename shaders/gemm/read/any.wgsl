// Reads one side of a product at any strides, element by element. SIDE is `left` (its lines are the rows of A) or `right` (its
// lines are the columns of B); the operand OPERAND is bound one element wide.
//
//   SIDE_one(line, k)        one value; line and k lie inside
//   SIDE_along(line, k)      four values of one line, k to k+3; 0 past the depth
//   SIDE_across(line, k)     one value each of four lines; lines past the last are read as the last; k lies inside
//   SIDE_block(line, k)      [i] = SIDE_across(line, k + i); 0 past the depth

fn SIDE_one(slice: Slice, line: u32, k: u32) -> value_t {
  return value_t(load_OPERAND(slice.SIDE + line * params.SIDE_line + k * params.SIDE_depth));
}

fn SIDE_along(slice: Slice, line: u32, k: u32) -> vec4<value_t> {
  var quad = vec4<value_t>();
  for (var i = 0u; i < 4u; i++) {
    if (WHOLE_DEPTH || k + i < params.depth) { quad[i] = SIDE_one(slice, line, k + i); }
  }
  return quad;
}

fn SIDE_across(slice: Slice, line: u32, k: u32) -> vec4<value_t> {
  var quad: vec4<value_t>;
  for (var i = 0u; i < 4u; i++) { quad[i] = SIDE_one(slice, min(line + i, params.SIDE_lines - 1u), k); }
  return quad;
}

fn SIDE_block(slice: Slice, line: u32, k: u32) -> mat4x4<value_t> {
  var block = mat4x4<value_t>();
  for (var i = 0u; i < 4u; i++) {
    if (WHOLE_DEPTH || k + i < params.depth) { block[i] = SIDE_across(slice, line, k + i); }
  }
  return block;
}
