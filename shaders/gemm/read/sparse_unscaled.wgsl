// Values of a 2:4 side (sparse.wgsl) as they are.
fn SIDE_scaled(pair: Pair, _line: u32, _group: u32) -> Pair {
  return pair;
}
