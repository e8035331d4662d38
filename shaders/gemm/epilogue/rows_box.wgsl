// Where a row of Y begins in its slice: rows are positions, counted x first, of a box whose steps are those of a larger one, as every
// second position of a picture. After divided.wgsl.
fn box_divided(x: u32, d: u32, inverse: f32) -> u32 {
  if (BOX_LARGE) { return x / d; }
  return divided(x, d, inverse);
}

fn row_at(row: u32) -> u32 {
  let line = box_divided(row, params.box_x, params.box_x_inverse);
  let plane = box_divided(line, params.box_y, params.box_y_inverse);
  let picture = box_divided(plane, params.box_z, params.box_z_inverse);
  return (row - line * params.box_x) * params.box_step_x + (line - plane * params.box_y) * params.box_step_y
    + (plane - picture * params.box_z) * params.box_step_z + picture * params.box_step_picture;
}
