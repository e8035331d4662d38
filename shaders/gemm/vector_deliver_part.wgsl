// A part of the depth was summed: kept in `partials`, [parts, slices, rows, quads of columns], until reduce.wgsl adds the parts up.
fn deliver(_slice: Slice, index: u32, part: u32, row: u32, column: u32, sums: vec4<f32>) {
  let line = (part * params.slices + index) * params.rows + row;
  store_partials(line * ((params.columns + 3u) / 4u) + column / 4u, sums);
}
