// Which output lies at an index of [N, ceil(M / 4), depth, height, width, 4]; filters past the last are places that nothing reads. After output.wgsl.
fn output_at(index: u32) -> Output {
  var rest = index / 4u;
  let x = next_digit(&rest, params.out_x);
  let y = next_digit(&rest, params.out_y);
  let z = next_digit(&rest, params.out_z);
  let quad = next_digit(&rest, (params.all_filters + 3u) / 4u);
  return Output(rest, quad * 4u + index % 4u, z, y, x);
}
