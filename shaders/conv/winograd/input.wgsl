// Winograd's input transform: V = B^T d B of each patch d of X, four channels an invocation. After f2.wgsl or f4.wgsl and load_*.wgsl.
// Patches of TILE + 2 overlap by 2; padding is never stored, it reads as 0.
//
//        X of a channel                        V [point][group][tile][channel]
//      +---+-----------+-----+
//      |   | tile 0,0 .|. 0,1 .    patch of tile 0,1: its TILE x TILE outputs need TILE + 2 rows and columns of X
//      |   +-----------+ - - +
//
// Along an axis without a filter (TALL false) a patch is one row.

const ROWS = select(1u, PATCH, TALL);

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group_index = workgroup_index(wid, grid);
  if (group_index >= params.groups) { return; }
  let index = group_index * LANES + lane;
  if (index >= params.tiles * params.conv_groups * params.quads) { return; }
  // Channels innermost, as V has them.
  let quad = index % params.quads;
  var rest = index / params.quads;
  let tile = rest % params.tiles;
  let conv_group = rest / params.tiles;
  rest = tile / params.tiles_x;
  let left = i32(tile % params.tiles_x * TILE) - params.pad_x;
  let top = i32(rest % params.tiles_y * select(1u, TILE, TALL)) - params.pad_y;
  rest /= params.tiles_y;
  let z = u32(i32(rest % params.out_z * params.stride_z) - params.pad_z);
  let base = rest / params.out_z * params.x_picture + z * params.x_z;
  let channel = 4u * quad;

  // Columns of the patch, each transformed along y as it comes.
  var points: array<array<vec4<f32>, PATCH>, ROWS>;
  for (var s = 0u; s < PATCH; s++) {
    let x = u32(left + i32(s));
    var column: array<vec4<f32>, PATCH>;
    for (var r = 0u; r < ROWS; r++) {
      let y = u32(top + i32(r));
      let inside = z < params.depth && y < params.height && x < params.width;
      column[r] = channels_at(base + y * params.x_y + x * params.x_x, conv_group, channel, inside);
    }
    if (TALL) { column = values_to_points(column); }
    for (var r = 0u; r < ROWS; r++) { points[r][s] = column[r]; }
  }
  var to = (conv_group * params.tiles + tile) * params.quads + quad;
  let step = params.conv_groups * params.tiles * params.quads;
  for (var r = 0u; r < ROWS; r++) {
    let row = values_to_points(points[r]);
    for (var s = 0u; s < PATCH; s++) {
      store_v(to, VALUE_SCALE * row[s]);
      to += step;
    }
  }
}
