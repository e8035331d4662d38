// An index that lies as i32.
fn position(index: indices_t) -> i32 { return index; }
