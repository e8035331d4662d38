// Columns of product spectra back to half spectra of rows, of which only those that hold results are kept. An invocation takes a
// column under two filters. `products` has, for each frequency, tile and pair of filters, a vec4 (re, im, re, im); `rows` for each
// tile, row, bin and pair.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let tile = group / params.blocks;
  let item = (group % params.blocks) * LANES + lane;
  if (item >= BINS * params.pairs) { return; }
  let bin = divided(item, params.pairs, params.pairs_inverse);
  let start = (bin * params.tiles + tile) * params.pairs + item - bin * params.pairs;

  var v: Line;
  for (var k = 0u; k < N; k++) { v[k] = swapped(load_products(start + k * BINS * params.tiles * params.pairs)); }
  transform(&v);

  let to = tile * params.valid_y * BINS * params.pairs + item;
  for (var y = 0u; y < N; y++) {
    if (y < params.valid_y) { store_rows(to + y * BINS * params.pairs, swapped(v[place(y)])); }
  }
}
