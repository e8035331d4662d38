// One side of a product, loaded by matrix units from its storage buffer, without staging: for sizes that are whole tiles, an operand
// in one binding, lines and slices that begin at multiples of 16 bytes. SIDE is left or right, OPERAND its operand, four values wide.

fn SIDE_fragment(slice: Slice, line: u32, k: u32) -> SIDE_matrix {
  count_OPERAND(FRAGMENT_SIDE);
  let start = slice.SIDE + line * params.SIDE_line + k * params.SIDE_depth;
  return subgroupMatrixLoad<SIDE_matrix, MAJOR>(&OPERAND_0, start / 4u, params.SIDE_STEP / 4u);
}
