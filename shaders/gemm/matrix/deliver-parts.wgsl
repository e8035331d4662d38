// Sums of a part of the depth leave as partial sums, which ../reduce.wgsl adds up:
//
//     partials [part][slice][row][quad of columns]

fn settle(lane: u32) {}

fn deliver(group: u32, slice: Slice, row: u32, column: u32, values: vec4<acc_t>) {
  let tiles = params.row_tiles * params.column_tiles;
  let plane = group / (params.slices * tiles) * params.slices + group % (params.slices * tiles) / tiles;
  store_partials((plane * params.rows + row) * ((params.columns + 3u) / 4u) + column / 4u, vec4<f32>(values));
}
