// Direct convolution with sums in registers: an invocation owns QUADS quads of a group's filters over STRIP outputs of a row. For each
// row of the window and each CHUNK channels it loads the values under the strip once, for all outputs that they meet and all its filters:
//
//        w: 4 filters, a tap and channel each                     STRIP 3, kernel 3, stride 1
//      +----+----+----+                                       sums[o] += w[s] * v[o * STEP + s]
//      | w0 | w1 | w2 |      v0 v1 v2 v3 v4   of a channel
//      +----+----+----+      '--------'       output 0
//                               '--------'    output 1
//                                  '--------' output 2
//
// Filters lie as [group][tap][channel][filter] in whole quads, those past the last undefined. x_*.wgsl says how CHUNK channels are
// loaded, y_*.wgsl how a quad of sums is stored. Padding is 0. A chunk of a row is unrolled, or of all rows where `rows_of_window` is a
// constant: software adapters blend what a loop carries by masks, so loops are to be long inside.

const SPAN = (STRIP - 1u) * STEP_X + KERNEL_X;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let at = place_of(group, lane);
  let part = quotient(at.line, params.group_lines, params.group_lines_inverse);
  let quad = (at.line - part * params.group_lines) * QUADS;
  let first = part * params.filters + 4u * quad;
  let picture = at.n * params.x_picture;
  let left = i32(at.x * params.stride_x) - i32(params.pad_x);
  let top = i32(at.y * params.stride_y) - i32(params.pad_y);
  let front = i32(at.z * params.stride_z) - i32(params.pad_z);

  var sums: array<vec4<f32>, QUADS * STRIP>;
  for (var b = 0u; b < QUADS; b++) {
    let start = bias_quad(first + 4u * b);
    for (var o = 0u; o < STRIP; o++) { sums[b * STRIP + o] = start; }
  }
  for (var t = 0u; t < params.kernel_z; t++) {
    let z = u32(front + i32(t * params.dilation_z));
    for (var c = 0u; c < params.channels; c += CHUNK) {
      let source = picture + channel_start(part * params.channels + c) + z * params.x_z;
      for (var r = 0u; r < rows_of_window(); r++) {
        let y = u32(top + i32(r * params.dilation_y));
        let there = z < params.depth && y < params.height;
        let tap = part * params.taps + (t * params.kernel_y + r) * KERNEL_X;
        let w = (tap * params.channels + c) * params.group_quads + quad;
        for (var e = 0u; e < CHUNK; e += EACH) {
          var v: array<value_t, SPAN>;
          for (var j = 0u; j < SPAN; j++) {
            let x = u32(left + i32(j * params.dilation_x));
            let inside = there && x < params.width;
            v[j] = value_at(source + chunk_offset(e) + y * params.x_y + x * params.x_x, inside);
          }
          for (var s = 0u; s < KERNEL_X; s++) {
            for (var i = 0u; i < EACH; i++) {
              for (var b = 0u; b < QUADS; b++) {
                let filters = load_w(w + (s * params.channels + e + i) * params.group_quads + b);
                for (var o = 0u; o < STRIP; o++) {
                  sums[b * STRIP + o] = fma(filters, vec4<f32>(channel_of(v[o * STEP_X + s], i)), sums[b * STRIP + o]);
                }
              }
            }
          }
        }
      }
    }
  }

  let row = params.y_offset + at.n * params.y_picture + at.z * params.y_z + at.y * params.y_y;
  for (var b = 0u; b < QUADS; b++) {
    for (var o = 0u; o < STRIP; o++) {
      let x = at.x + o * params.spacing_x;
      if (at.valid && x < params.out_x) { finish_quad(first + 4u * b, 4u * (quad + b), row + x * params.y_x, sums[b * STRIP + o]); }
    }
  }
}
