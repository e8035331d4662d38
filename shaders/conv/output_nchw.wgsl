// Which output lies at an index of [N, M, depth, height, width]. After output.wgsl.
fn output_at(index: u32) -> Output {
  var rest = index;
  let x = next_digit(&rest, params.out_x);
  let y = next_digit(&rest, params.out_y);
  let z = next_digit(&rest, params.out_z);
  let filter_index = next_digit(&rest, params.all_filters);
  return Output(rest, filter_index, z, y, x);
}
