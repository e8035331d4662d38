// What pack.wgsl writes of a word: its seats.
fn put_value(_row: u32, _line: u32, _value: f32) {}

fn put_seats(row: u32, line: u32, seats: u32) {
  store_y(row * params.step + line, seats);
}
