// What pack.wgsl writes of a word: its seats.
fn store_value(_at: u32, _value: f32) {}

fn store_seats(at: u32, seats: u32) {
  store_y(at, seats);
}
