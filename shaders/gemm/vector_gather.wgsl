// Adds up the parts of sums that workgroups of vector_product.wgsl kept in `partial`, [parts, lines, quads of columns], in their
// order, and finishes them. A lane owns a quad.
@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let quads = (params.columns + 3u) / 4u;
  let at = (group % params.tiles) * LANES + lane;
  if (at >= params.rows * quads) { return; }
  let slice = slice_of(group / params.tiles);
  let row = at / quads;
  let start = (slice.y / params.columns + row) * quads + at % quads;
  var sums: vec4<f32>;
  for (var part = 0u; part < params.parts; part++) { sums += load_partial(part * params.lines * quads + start); }
  finish_quad(slice, row, 4u * (at % quads), sums);
}
