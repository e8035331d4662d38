// Reads one side of a product through a sliding window (any.wgsl says what the functions give): its lines are the positions of the
// window, picture by picture, and its depth are the window's taps and their channels. The patch matrix is never stored: an element is
// found from its line and its k. What lies in the padding, or past the depth, is 0, read from element 0 and not used, so that there is no branch.
//
//                      k = (tap t r s, channel)                       where WINDOW_TAPS_FIRST, else (channel, tap t r s)
//                    +-----------------------------+
//   line = (n t p q) |  x[n][channel][p*stride_y - pad_y + r*dilation_y][q*stride_x - pad_x + s*dilation_x]
//
// Channels lie in quads: channel c begins at (c / 4) * quad + (c % 4) * channel. Where WINDOW_QUADS, four k from a multiple of 4 on are
// the channels of one quad at one tap; window_wide.wgsl or window_each.wgsl loads them. Where WINDOW_HELD is not 0, so many channels of a tap
// are there, the others are 0.

/// Start of a picture's group of channels, and the corner of the window, which may lie in the padding.
struct Pixel { base: u32, z: i32, y: i32, x: i32 }
/// What a k adds to it.
struct Tap { channel: u32, z: i32, y: i32, x: i32 }
struct Place { inside: bool, index: u32 }

fn SIDE_divided(x: u32, d: u32, inverse: f32) -> u32 {
  if (WINDOW_LARGE) { return x / d; }
  return divided(x, d, inverse);
}

fn SIDE_pixel(slice: Slice, line: u32) -> Pixel {
  let rest = SIDE_divided(line, params.window_out_x, params.window_out_x_inverse);
  let q = line - rest * params.window_out_x;
  var plane = SIDE_divided(rest, params.window_out_y, params.window_out_y_inverse);
  let p = rest - plane * params.window_out_y;
  var z = 0;
  if (WINDOW_DEEP) {
    let picture = SIDE_divided(plane, params.window_out_z, params.window_out_z_inverse);
    z = i32((plane - picture * params.window_out_z) * params.window_stride_z) - params.window_pad_z;
    plane = picture;
  }
  return Pixel(
    slice.SIDE + plane * params.window_picture,
    z,
    i32(p * params.window_stride_y) - params.window_pad_y,
    i32(q * params.window_stride_x) - params.window_pad_x,
  );
}

fn SIDE_tap(k: u32) -> Tap {
  var tap: u32;
  var channel: u32;
  if (WINDOW_TAPS_FIRST) {
    tap = SIDE_divided(k, params.window_channels, params.window_channels_inverse);
    channel = k - tap * params.window_channels;
  } else {
    channel = SIDE_divided(k, params.window_taps, params.window_taps_inverse);
    tap = k - channel * params.window_taps;
  }
  var row = SIDE_divided(tap, params.window_kernel_x, params.window_kernel_x_inverse);
  let s = tap - row * params.window_kernel_x;
  var t = 0u;
  if (WINDOW_DEEP) {
    t = SIDE_divided(row, params.window_kernel_y, params.window_kernel_y_inverse);
    row -= t * params.window_kernel_y;
  }
  // What is not there lies in the padding.
  let absent = WINDOW_HELD != 0u && channel >= WINDOW_HELD;
  return Tap(
    channel / 4u * params.window_quad + channel % 4u * params.window_channel,
    i32(t * params.window_dilation_z),
    select(i32(row * params.window_dilation_y), 0x40000000, absent),
    i32(s * params.window_dilation_x),
  );
}

/// Element `tap` of the window at `pixel`; where it is not there, element 0.
fn SIDE_place(pixel: Pixel, tap: Tap, there: bool) -> Place {
  // A negative coordinate is a huge one as u32.
  let y = u32(pixel.y + tap.y);
  let x = u32(pixel.x + tap.x);
  var inside = there && y < params.window_height && x < params.window_width;
  var index = pixel.base + tap.channel + y * params.window_y + x * params.window_x;
  if (WINDOW_DEEP) {
    let z = u32(pixel.z + tap.z);
    inside = inside && z < params.window_depth;
    index += z * params.window_z;
  }
  return Place(inside, select(0u, index, inside));
}

fn SIDE_value(pixel: Pixel, k: u32) -> value_t {
  let place = SIDE_place(pixel, SIDE_tap(k), k < params.depth);
  return select(value_t(), SIDE_loaded(place.index), place.inside);
}

fn SIDE_one(slice: Slice, line: u32, k: u32) -> value_t {
  return SIDE_value(SIDE_pixel(slice, line), k);
}

fn SIDE_along(slice: Slice, line: u32, k: u32) -> vec4<value_t> {
  let pixel = SIDE_pixel(slice, line);
  if (WINDOW_QUADS) {
    let place = SIDE_place(pixel, SIDE_tap(k), k < params.depth);
    return select(vec4<value_t>(), SIDE_quad(place.index), vec4<bool>(place.inside));
  }
  return vec4<value_t>(SIDE_value(pixel, k), SIDE_value(pixel, k + 1u), SIDE_value(pixel, k + 2u), SIDE_value(pixel, k + 3u));
}

fn SIDE_across(slice: Slice, line: u32, k: u32) -> vec4<value_t> {
  let last = params.SIDE_lines - 1u;
  let tap = SIDE_tap(k);
  var quad: vec4<value_t>;
  for (var i = 0u; i < 4u; i++) {
    let place = SIDE_place(SIDE_pixel(slice, min(line + i, last)), tap, k < params.depth);
    quad[i] = select(value_t(), SIDE_loaded(place.index), place.inside);
  }
  return quad;
}

fn SIDE_block(slice: Slice, line: u32, k: u32) -> mat4x4<value_t> {
  let last = params.SIDE_lines - 1u;
  return transpose(mat4x4<value_t>(
    SIDE_along(slice, min(line, last), k),
    SIDE_along(slice, min(line + 1u, last), k),
    SIDE_along(slice, min(line + 2u, last), k),
    SIDE_along(slice, min(line + 3u, last), k),
  ));
}
