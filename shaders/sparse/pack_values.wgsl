// What pack.wgsl writes of a word: its values.
fn store_value(at: u32, value: f32) {
  store_y(at, value);
}

fn store_seats(_at: u32, _seats: u32) {}
