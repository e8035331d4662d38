// Which output lies at an index of [N, ceil(M / 4), depth, height, width, 4]; filters past the last are places that nothing reads.
fn output_at(index: u32) -> Output {
  let x = index / 4u % params.out_x;
  var rest = index / 4u / params.out_x;
  let y = rest % params.out_y;
  rest /= params.out_y;
  let z = rest % params.out_z;
  rest /= params.out_z;
  let quads = (params.all_filters + 3u) / 4u;
  return Output(rest / quads, rest % quads * 4u + index % 4u, z, y, x);
}
