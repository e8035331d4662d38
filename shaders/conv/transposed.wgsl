// Direct transposed convolution, one output per invocation, in the order they lie in memory: legal for every one, for those whose groups
// have few filters. Of an axis, output o meets tap k where o + pad - k * dilation is a multiple of the stride: k runs from the lowest
// such tap in steps, while the input it meets goes down by `hop`. What lies outside X is 0. output_LAYOUT.wgsl says what lies at an
// index of Y.
//
//     shared = gcd(stride, dilation), step = stride / shared, hop = dilation / shared, turn = the inverse of hop modulo step

struct Output { n: u32, filter_index: u32, z: u32, y: u32, x: u32 }

/// The lowest tap that meets an output, and the value that it meets; tap is the kernel's size where there is none.
struct Meeting { tap: u32, start: i32 }

fn channel_at(c: u32) -> u32 { return c / 4u * params.x_quad + c % 4u * params.x_channel; }

fn meeting(place: u32, kernel: u32, stride: u32, dilation: u32, shared_by: u32, step: u32, turn: u32) -> Meeting {
  let rest = place % stride;
  let tap = rest / shared_by * turn % step;
  let start = (i32(place) - i32(tap * dilation)) / i32(stride);
  return Meeting(select(kernel, tap, rest % shared_by == 0u && tap < kernel), start);
}

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.outputs) { return; }
  let at = output_at(index);
  if (at.filter_index >= params.all_filters) { return; }
  let first_channel = at.filter_index / params.filters * params.channels;
  let own = at.filter_index % params.filters;
  let front = meeting(at.z + params.pad_z, params.kernel_z, params.stride_z, params.dilation_z, params.shared_z, params.step_z, params.turn_z);
  let top = meeting(at.y + params.pad_y, params.kernel_y, params.stride_y, params.dilation_y, params.shared_y, params.step_y, params.turn_y);
  let left = meeting(at.x + params.pad_x, params.kernel_x, params.stride_x, params.dilation_x, params.shared_x, params.step_x, params.turn_x);

  let taps = params.kernel_z * params.kernel_y * params.kernel_x;
  var sum = 0.0;
  for (var c = first_channel; c < first_channel + params.channels; c++) {
    let plane = at.n * params.x_picture + channel_at(c);
    let filters = (c * params.filters + own) * taps;
    var z = front.start;
    for (var t = front.tap; t < params.kernel_z; t += params.step_z) {
      var y = top.start;
      for (var r = top.tap; r < params.kernel_y; r += params.step_y) {
        var x = left.start;
        for (var s = left.tap; s < params.kernel_x; s += params.step_x) {
          let inside = u32(z) < params.depth && u32(y) < params.height && u32(x) < params.width;
          let place = plane + u32(z) * params.x_z + u32(y) * params.x_y + u32(x) * params.x_x;
          let weight = load_w(filters + (t * params.kernel_y + r) * params.kernel_x + s);
          sum = fma(weight, select(0.0, load_x(select(0u, place, inside)), inside), sum);
          x -= i32(params.hop_x);
        }
        y -= i32(params.hop_y);
      }
      z -= i32(params.hop_z);
    }
  }
  store_y(index, finished(0u, index, 0u, at.filter_index, sum));
}
