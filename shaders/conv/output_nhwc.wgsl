// Which output lies at an index of [N, depth, height, width, M].
fn output_at(index: u32) -> Output {
  let filter_index = index % params.all_filters;
  var rest = index / params.all_filters;
  let x = rest % params.out_x;
  rest /= params.out_x;
  let y = rest % params.out_y;
  rest /= params.out_y;
  return Output(rest / params.out_z, filter_index, rest % params.out_z, y, x);
}
