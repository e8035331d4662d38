// Which rows of filters hold a weight that is not zero, once when weights are loaded: a row is KERNEL_X taps of one channel for a block of
// BLOCK filters, as a workgroup multiplies them at once. A lane owns a row, [group][block][channel][depth and row of the kernel].

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.rows) { return; }
  let part = index / params.block_rows;
  let row = index % params.block_rows;
  let first = part % params.blocks * BLOCK;
  var any = 0u;
  for (var m = first; m < min(first + BLOCK, params.filters); m++) {
    let start = ((part / params.blocks * params.filters + m) * params.block_rows + row) * KERNEL_X;
    for (var s = 0u; s < KERNEL_X; s++) { any |= bitcast<u32>(load_w(start + s)) & 0x7fffffffu; }
  }
  store_rows(index, select(0u, 1u, any != 0u));
}
