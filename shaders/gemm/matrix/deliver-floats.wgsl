// Sums of floats leave as they are, through the epilogue of the product.

fn settle(lane: u32) {}

fn deliver(group: u32, slice: Slice, row: u32, column: u32, values: vec4<acc_t>) {
  finish_quad(slice, row, column, vec4<f32>(values));
}
