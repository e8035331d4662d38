// A part of the depth was summed: kept as quads in `partial`, [parts, lines, quads of columns], where a line is a row of Y.
fn deliver(slice: Slice, part: u32, row: u32, column: u32, sums: vec4<f32>) {
  let line = slice.y / params.columns + row;
  store_partial((part * params.lines + line) * ((params.columns + 3u) / 4u) + column / 4u, sums);
}
