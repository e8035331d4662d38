// Which output lies at an index of [N, M, depth, height, width].
fn output_at(index: u32) -> Output {
  let x = index % params.out_x;
  var rest = index / params.out_x;
  let y = rest % params.out_y;
  rest /= params.out_y;
  let z = rest % params.out_z;
  rest /= params.out_z;
  return Output(rest / params.all_filters, rest % params.all_filters, z, y, x);
}
