// Rows of real tiles to half spectra. An invocation takes two rows of a tile under two channels: a row is the real part, the next
// the imaginary part of a complex sequence, whose transform Z holds those of both, because that of a real sequence is its own
// mirror image:
//
//     first[k] = (Z[k] + conj Z[N-k]) / 2        next[k] = (Z[k] - conj Z[N-k]) / 2i        k = 0 .. N/2, the others follow
//
// `rows` has, for each tile, row, bin k and pair of channels, a vec4 (re, im, re, im). Filters are tiles as well: theirs have as
// many rows as the filter, and SPREAD_Y, SPREAD_X put zeros between their taps. read_EACH.wgsl says how two channels are read.

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
  let couple = divided(item, params.pairs, params.pairs_inverse);
  let pair = item - couple * params.pairs;
  if (couple >= params.couples) { return; }
  let row = 2u * couple;

  let rest = tile % params.tiles;
  let down = rest / params.tiles_x;
  let origin = tile / params.tiles * params.x_picture + down * params.x_down + source_of(pair);
  let left = rest % params.tiles_x * params.valid_x - params.pad_x;
  let top = down * params.valid_y - params.pad_y;
  let first = (top + row) / SPREAD_Y;
  let next = (top + row + 1u) / SPREAD_Y;
  let first_inside = (SPREAD_Y == 1u || (top + row) % SPREAD_Y == 0u) && first < params.height;
  let next_inside = (SPREAD_Y == 1u || (top + row + 1u) % SPREAD_Y == 0u) && next < params.height;

  var v: Line;
  for (var j = 0u; j < N; j++) {
    let x = (left + j) / SPREAD_X;
    let inside = (SPREAD_X == 1u || (left + j) % SPREAD_X == 0u) && x < params.width;
    let at = origin + x * params.x_x;
    let a = pair_at(at + first * params.x_y, pair, inside && first_inside);
    let b = pair_at(at + next * params.x_y, pair, inside && next_inside);
    v[j] = vec4<f32>(a.x, b.x, a.y, b.y);
  }
  transform(&v);

  let to = tile * params.to_tile + row * params.to_row + pair;
  for (var k = 0u; k < BINS; k++) {
    let z = v[place(k)];
    let mirror = v[place((N - k) % N)];
    let signs = vec4<f32>(1.0, -1.0, 1.0, -1.0);
    store_rows(to + k * params.to_bin, 0.5 * fma(mirror, signs, z));
    store_rows(to + k * params.to_bin + params.to_row, 0.5 * fma(swapped(z), signs, swapped(mirror)));
  }
}
