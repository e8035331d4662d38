// Columns of the half spectra of filters, in place: `spectra` has, for each frequency, channel and pair of filters, the conjugate
// of the spectrum over N * N (the factor of the inverse transform, a power of two). Where DOUBLED it is the right side of a real
// product whose depth counts real and imaginary parts of channels, and whose columns those of filters:
//
//                      filter 0       filter 1
//     channel 0  re    wr  -wi        wr  -wi       (xr + i xi)(wr - i wi)  =  xr wr + xi wi  +  i (-xr wi + xi wr)
//                im    wi   wr        wi   wr

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
  let at = tile * params.to_tile + bin * params.to_bin + item - bin * params.pairs;

  var v: Line;
  for (var y = 0u; y < N; y++) {
    let inside = y < params.rows;
    v[y] = select(vec4<f32>(), load_spectra(at + select(0u, y, inside) * params.to_row), vec4<bool>(inside));
  }
  transform(&v);

  let scale = 1.0 / f32(N * N);
  for (var k = 0u; k < N; k++) {
    let w = scale * v[place(k)];
    store_spectra(at + k * params.to_row, w * vec4<f32>(1.0, -1.0, 1.0, -1.0));
    if (DOUBLED) { store_spectra(at + k * params.to_row + params.pairs, swapped(w)); }
  }
}
