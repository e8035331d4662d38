// Columns of half spectra to spectra, times those of filters that see one channel each, and back, all in registers: columns.wgsl,
// the product and back_columns.wgsl in one. An invocation takes a column under two filters.

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

  let step = BINS * params.channel_pairs;
  let start = tile * N * step;
  var v: Line;
  if (!MULTIPLIED) {
    for (var y = 0u; y < N; y++) { v[y] = load_rows(start + y * step + item); }
  } else {
    // Two filters of one channel, or of neighbours.
    let bin = item / params.pairs;
    let filter0 = 2u * (item % params.pairs);
    let first = filter0 / params.multiplier;
    let second = min((filter0 + 1u) / params.multiplier, params.channels - 1u);
    let column = start + bin * params.channel_pairs;
    for (var y = 0u; y < N; y++) {
      let a = load_rows(column + y * step + first / 2u);
      let b = load_rows(column + y * step + second / 2u);
      v[y] = vec4<f32>(select(a.xy, a.zw, first % 2u == 1u), select(b.xy, b.zw, second % 2u == 1u));
    }
  }
  transform(&v);

  var product: Line;
  for (var k = 0u; k < N; k++) {
    let x = v[place(k)];
    let w = load_spectra(k * BINS * params.pairs + item);
    product[k] = swapped(fma(x, w.xxzz, swapped(x) * vec4<f32>(-w.y, w.y, -w.w, w.w)));
  }
  transform(&product);

  let to = tile * params.valid_y * BINS * params.pairs + item;
  for (var y = 0u; y < N; y++) {
    if (y < params.valid_y) { store_kept(to + y * BINS * params.pairs, swapped(product[place(y)])); }
  }
}
