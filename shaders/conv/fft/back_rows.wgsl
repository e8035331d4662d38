// Half spectra of rows back to results. An invocation takes two rows of a tile under two filters: F + i G of half spectra F and G
// of real rows, completed by their mirror images, is the spectrum of the complex row f + i g. Results pass through workgroup memory
// to a loop that stays a loop and ends with the epilogue. Pairs of filters begin anew with every group of the convolution.

// Each lane's own (no barrier is needed).
var<workgroup> line: array<vec4<f32>, N * LANES>;

fn finish(at: u32, filter_index: u32, sum: f32) {
  let index = at + filter_index / 4u * params.y_quad + filter_index % 4u * params.y_channel;
  store_y(index, finished(0u, index, 0u, filter_index, sum));
}

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
  let row = 2u * couple;
  if (row >= params.valid_y) { return; }

  let step = BINS * params.pairs;
  let first = (tile * params.valid_y + row) * step + pair;
  let next = first + select(0u, step, row + 1u < params.valid_y);
  var v: Line;
  for (var k = 0u; k < BINS; k++) {
    var a = load_rows(first + k * params.pairs);
    var b = load_rows(next + k * params.pairs);
    if (k == 0u || k == N / 2u) {
      // Real, but for roundings.
      v[k] = vec4<f32>(b.x, a.x, b.z, a.z);
    } else {
      v[k] = vec4<f32>(a.y + b.x, a.x - b.y, a.w + b.z, a.z - b.w);
      v[N - k] = vec4<f32>(b.x - a.y, a.x + b.y, b.z - a.w, a.z + b.w);
    }
  }
  transform(&v);
  for (var j = 0u; j < N; j++) { line[j * LANES + lane] = v[place(j)]; }

  let rest = tile % params.tiles;
  let left = rest % params.tiles_x * params.valid_x;
  let top = rest / params.tiles_x * params.valid_y + row;
  let block = pair / params.group_pairs;
  let filter0 = block * params.filters + 2u * (pair - block * params.group_pairs);
  let both = 2u * (pair - block * params.group_pairs) + 1u < params.filters;
  let two = row + 1u < params.valid_y && top + 1u < params.out_y;
  if (top >= params.out_y) { return; }
  var at = params.y_offset + tile / params.tiles * params.y_picture + top * params.y_y + left * params.y_x;
  let count = min(params.valid_x, params.out_x - left);
  for (var j = 0u; j < count; j++) {
    let sums = line[j * LANES + lane];
    finish(at, filter0, sums.y);
    if (two) { finish(at + params.y_y, filter0, sums.x); }
    if (both) { finish(at, filter0 + 1u, sums.w); }
    if (both && two) { finish(at + params.y_y, filter0 + 1u, sums.z); }
    at += params.y_x;
  }
}
