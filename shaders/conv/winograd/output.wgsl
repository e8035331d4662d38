// Winograd's output transform: Y = A^T M A of each tile of products M [point][group][tile][filter], four filters an invocation, through
// the epilogue, stored in Y's layout; of a ragged tile only what there is. After f2.wgsl or f4.wgsl and the files of the epilogue.

// What finish_quad of the epilogue is told, for which a pixel is a product of one row: where the group of filters begins, in Y at the
// pixel, and in what is added to it.
struct Slice { y: u32, terms: u32 }

fn row_at(row: u32) -> u32 { return row; }

const TILE_Y = select(1u, TILE, TALL);
const ROWS = select(1u, PATCH, TALL);

// Outputs on their way to the epilogue, each lane's own (no barrier is needed).
var<workgroup> outputs: array<vec4<f32>, TILE_Y * TILE * LANES>;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group_index = workgroup_index(wid, grid);
  if (group_index >= params.groups) { return; }
  let index = group_index * LANES + lane;
  if (index >= params.tiles * params.conv_groups * params.filter_quads) { return; }
  let quad = index % params.filter_quads;
  var rest = index / params.filter_quads;
  let tile = rest % params.tiles;
  let conv_group = rest / params.tiles;
  rest = tile / params.tiles_x;
  let left = tile % params.tiles_x * TILE;
  let top = rest % params.tiles_y * TILE_Y;
  rest /= params.tiles_y;
  let base = params.y_offset + rest / params.out_z * params.y_picture + rest % params.out_z * params.y_z + conv_group * params.y_group;

  // Columns of points, each transformed along y as it comes.
  let step = params.conv_groups * params.tiles * params.filter_quads;
  var sums: array<array<vec4<f32>, PATCH>, TILE_Y>;
  for (var s = 0u; s < PATCH; s++) {
    var column: array<vec4<f32>, PATCH>;
    for (var r = 0u; r < ROWS; r++) { column[r] = load_m(index + (r * PATCH + s) * step); }
    if (TALL) {
      let short = points_to_outputs(column);
      for (var r = 0u; r < TILE_Y; r++) { sums[r][s] = short[r]; }
    } else {
      sums[0][s] = column[0];
    }
  }
  for (var r = 0u; r < TILE_Y; r++) {
    let row = points_to_outputs(sums[r]);
    for (var s = 0u; s < TILE; s++) { outputs[(r * TILE + s) * LANES + lane] = row[s]; }
  }
  // The bound is a param, so that no compiler unrolls the loop: an epilogue for each of its steps takes long to compile.
  for (var i = 0u; i < params.stored; i++) {
    let y = top + i / TILE;
    let x = left + i % TILE;
    if (y < params.out_y && x < params.out_x) {
      let slice = Slice(base + y * params.y_y + x * params.y_x, conv_group * params.columns);
      finish_quad(slice, 0u, 4u * quad, outputs[i * LANES + lane]);
    }
  }
}
