// Activations compressed, once a run: each segment, the SPAN values of a row that meet a strip of outputs, becomes a bit for each that is not
// zero and the list of those, closed up at the front of SPAN places. A lane owns a segment.
//
//     values        0   0  3.5  0  0  -1  0  0   ...        of padding: 0
//     masks         bits 2 and 5
//     list          3.5  -1  .  .  .   .  .  .
//
// Segments lie as [n][channel][depth][row][strip], depths and rows those of the padded map. Where weights are not all finite, all values
// count as not zero (`load_dense`), for 0 times infinity is NaN. After ../output.wgsl.

fn channel_at(c: u32) -> u32 { return c / 4u * params.x_quad + c % 4u * params.x_channel; }

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.segments) { return; }
  var rest = index;
  let strip = next_digit(&rest, params.strips_x);
  let y = next_digit(&rest, params.rows_y) - params.pad_y;
  let z = next_digit(&rest, params.rows_z) - params.pad_z;
  let channel = next_digit(&rest, params.all_channels);
  let row = rest * params.x_picture + channel_at(channel) + z * params.x_z + y * params.x_y;
  let isRow = z < params.depth && y < params.height;
  let left = start_of(strip) * params.stride_x - params.pad_x;
  let isDense = load_dense(0u) != 0u;
  var mask = 0u;
  var at = SPAN * index;
  for (var j = 0u; j < SPAN; j++) {
    let x = left + j * params.dilation_x;
    let inside = isRow && x < params.width;
    let value = select(0.0, load_x(select(0u, row + x * params.x_x, inside)), inside);
    let isKept = (bitcast<u32>(value) & 0x7fffffffu) != 0u || isDense;
    if (isKept && ((USED >> j) & 1u) != 0u) {
      store_list(at, value);
      at++;
      mask |= 1u << j;
    }
  }
  store_masks(index, mask);
}
