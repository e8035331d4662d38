// Direct transposed convolution. An invocation makes a strip of outputs of a run of phases (src/ops/conv-transpose2d/phases.ts), one after
// another along x: legal for every one, for those whose groups have few filters. All outputs of a phase meet as many taps, so that loops are of
// one length for all. What lies outside X is 0. After runtime/quotient.wgsl, output.wgsl and the epilogue's files.
//
//     along an axis      output  first + phase + p * stride      phase < phases, p < places
//                        values  p - pad + j * hop               j < taps
//                        taps    tap + phase - j * step

fn x_channel_at(c: u32) -> u32 { return c / 4u * params.x_quad + c % 4u * params.x_channel; }
fn y_channel_at(c: u32) -> u32 { return c / 4u * params.y_quad + c % 4u * params.y_channel; }

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.strips) { return; }
  // Filters lie inside positions, around them, or both (quads).
  var rest = index;
  let inner = next_digit(&rest, params.inner_filters);
  let phase_x = next_digit(&rest, params.phases_x);
  let first = next_digit(&rest, params.strips_x) * params.strip;
  let phase_y = next_digit(&rest, params.phases_y);
  let p = next_digit(&rest, params.places_y);
  let phase_z = next_digit(&rest, params.phases_z);
  let t = next_digit(&rest, params.places_z);
  let filter_index = next_digit(&rest, params.outer_filters) * params.inner_filters + inner;
  if (filter_index >= params.all_filters) { return; }
  var of_group = filter_index;
  let own = next_digit(&of_group, params.filters);
  let first_channel = of_group * params.channels;

  let taps = params.kernel_z * params.kernel_y * params.kernel_x;
  let corner = ((params.tap_z + phase_z) * params.kernel_y + params.tap_y + phase_y) * params.kernel_x + params.tap_x + phase_x;
  let start = params.y_offset + rest * params.y_picture + y_channel_at(filter_index) + (phase_z + t * params.stride_z) * params.y_z
    + (phase_y + p * params.stride_y) * params.y_y + phase_x * params.y_x;
  var sums: array<f32, STRIP>;
  for (var c = first_channel; c < first_channel + params.channels; c++) {
    let plane = rest * params.x_picture + x_channel_at(c);
    let filters = (c * params.filters + own) * taps + corner;
    for (var i = 0u; i < params.taps_z; i++) {
      let z = u32(i32(t + i * params.hop_z) - params.pad_z);
      for (var j = 0u; j < params.taps_y; j++) {
        let y = u32(i32(p + j * params.hop_y) - params.pad_y);
        let there = z < params.depth && y < params.height;
        let line = plane + z * params.x_z + y * params.x_y;
        let row = filters - (i * params.step_z * params.kernel_y + j * params.step_y) * params.kernel_x;
        for (var k = 0u; k < params.taps_x; k++) {
          let weight = load_w(row - k * params.step_x);
          let left = i32(first + k * params.hop_x) - params.pad_x;
          for (var e = 0u; e < STRIP; e++) {
            let x = u32(left + i32(e));
            let inside = there && x < params.width;
            sums[e] = fma(weight, select(0.0, load_x(select(0u, line + x * params.x_x, inside)), inside), sums[e]);
          }
        }
      }
    }
  }
  // Another array, so that the first stays in registers: the bound is a param, and the loop no compiler unrolls.
  var results = sums;
  for (var e = 0u; e < min(params.strip, params.places_x - first); e++) {
    let at = start + (first + e) * params.stride_x * params.y_x;
    store_y(at, finished(0u, at, 0u, filter_index, results[e]));
  }
}
