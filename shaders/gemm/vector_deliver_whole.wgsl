// The whole depth was summed: the sums are finished.
fn deliver(slice: Slice, _index: u32, _part: u32, row: u32, column: u32, sums: vec4<f32>) {
  finish_quad(slice, row, column, sums);
}
