// Where a row of Y begins in its slice: rows lie evenly.
fn row_at(row: u32) -> u32 {
  return row * params.y_row;
}
