// A part of the depth was summed: kept in `partials`, [parts, rows, lines in whole quads], until gemm/reduce.wgsl adds the parts up.
fn deliver(part: u32, row: u32, line: u32, sum: f32) {
  store_partials((part * params.rows + row) * ((params.columns + 3u) & ~3u) + line, sum);
}
