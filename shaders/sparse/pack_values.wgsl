// What pack.wgsl writes of a word: its values.
fn put_value(row: u32, line: u32, value: f32) {
  store_y(row * params.step + line, value);
}

fn put_seats(_row: u32, _line: u32, _seats: u32) {}
