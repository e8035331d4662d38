// Winograd's filter transform: U = G g G^T of each filter g of W, once, four filters an invocation, U [point][group][channel][filter].
// Channels and filters of a group are padded to whole quads with zeros. After f2.wgsl or f4.wgsl.

const ROWS = select(1u, PATCH, TALL);
const KERNEL_Y = select(1u, 3u, TALL);

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group_index = workgroup_index(wid, grid);
  if (group_index >= params.groups) { return; }
  let index = group_index * LANES + lane;
  let lines = 4u * params.quads;
  if (index >= params.conv_groups * lines * params.filter_quads) { return; }
  let quad = index % params.filter_quads;
  let channel = index / params.filter_quads % lines;
  let conv_group = index / params.filter_quads / lines;

  // Columns of the filters, each transformed along y as it comes.
  var points: array<array<vec4<f32>, 3>, ROWS>;
  for (var s = 0u; s < 3u; s++) {
    var column: array<vec4<f32>, 3>;
    for (var r = 0u; r < KERNEL_Y; r++) {
      for (var i = 0u; i < 4u; i++) {
        let m = 4u * quad + i;
        let there = m < params.filters && channel < params.channels;
        let place = (((conv_group * params.filters + m) * params.channels + channel) * KERNEL_Y + r) * 3u + s;
        column[r][i] = select(0.0, load_w(select(0u, place, there)), there);
      }
    }
    if (TALL) {
      let tall = filter_to_points(column);
      for (var r = 0u; r < ROWS; r++) { points[r][s] = tall[r]; }
    } else {
      points[0][s] = column[0];
    }
  }
  var to = index;
  let step = params.conv_groups * lines * params.filter_quads;
  for (var r = 0u; r < ROWS; r++) {
    let row = filter_to_points(points[r]);
    for (var s = 0u; s < PATCH; s++) {
      store_u(to, row[s] / VALUE_SCALE);
      to += step;
    }
  }
}
