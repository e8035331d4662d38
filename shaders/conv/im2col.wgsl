// Stores the patch matrix of a convolution, which the implicit product never does: row by row [slice][position][tap, channel], four elements
// of a row at a time, rows in whole quads. Reads X as the left side of that product (../gemm/read/any.wgsl): 0 in the padding.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = min(group * LANES + lane, params.quads - 1u);
  let line = index / params.row_quads;
  let slice = line / params.rows;
  store_patches(index, vec4<f32>(left_along(slice_of(slice), line - slice * params.rows, 4u * (index - line * params.row_quads))));
}
