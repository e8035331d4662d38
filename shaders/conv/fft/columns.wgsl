// Columns of half spectra to spectra: what rows.wgsl made, transformed across the rows. An invocation takes a column under two
// channels. `spectra` has, for each frequency (vertical, then horizontal), tile and pair of channels, a vec4 (re, im, re, im).

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

  var v: Line;
  let start = tile * N * BINS * params.pairs + item;
  for (var y = 0u; y < N; y++) { v[y] = load_rows(start + y * BINS * params.pairs); }
  transform(&v);

  let bin = divided(item, params.pairs, params.pairs_inverse);
  let to = (bin * params.tiles + tile) * params.pairs + item - bin * params.pairs;
  for (var k = 0u; k < N; k++) { store_spectra(to + k * BINS * params.tiles * params.pairs, v[place(k)]); }
}
