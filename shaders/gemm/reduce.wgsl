// Adds up the partial sums of a product whose depth was split, part after part, always in the same order, and runs the epilogue.
// An invocation for each quad of columns of each row.
//
//     partials [split][slice][row][quad of columns]

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quads = (params.columns + 3u) / 4u;
  let plane = params.rows * quads;
  let group = workgroup_index(wid, grid);
  let index = group * LANES + lane;
  if (group >= params.groups || index >= params.slices * plane) { return; }
  var sum = load_partials(index);
  for (var part = 1u; part < SPLITS; part++) { sum += load_partials(part * params.slices * plane + index); }
  finish_quad(slice_of(index / plane), index % plane / quads, 4u * (index % quads), sum);
}
