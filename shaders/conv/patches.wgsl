// The patches of a convolution of bytes, one after another: the window at each position, as bytes in the order that filters have, four
// to a word. Padding is the zero point. After runtime/quotient.wgsl.
//
//     y [picture][group][position z y x][channel, tap z y x]        an invocation makes a word: it finds the place of its first byte and
//                                                                   counts on from there, as an odometer does

struct Place { s: u32, r: u32, t: u32, c: u32, x: u32, y: u32, z: u32, group: u32, picture: u32 }

fn digit(rest: ptr<function, u32>, size: u32, inverse: f32) -> u32 {
  let outer = quotient(*rest, size, inverse);
  let own = *rest - outer * size;
  *rest = outer;
  return own;
}

fn place_of(index: u32) -> Place {
  var rest = index;
  var at: Place;
  at.s = digit(&rest, params.kernel_x, params.kernel_x_inverse);
  at.r = digit(&rest, params.kernel_y, params.kernel_y_inverse);
  at.t = digit(&rest, params.kernel_z, params.kernel_z_inverse);
  at.c = digit(&rest, params.channels, params.channels_inverse);
  at.x = digit(&rest, params.out_x, params.out_x_inverse);
  at.y = digit(&rest, params.out_y, params.out_y_inverse);
  at.z = digit(&rest, params.out_z, params.out_z_inverse);
  at.group = digit(&rest, params.channel_groups, params.channel_groups_inverse);
  at.picture = rest;
  return at;
}

/// Adds a carry to a digit, and says whether it carries on.
fn carried(own: ptr<function, u32>, carry: bool, size: u32) -> bool {
  let next = *own + u32(carry);
  let over = next == size;
  *own = select(next, 0u, over);
  return over;
}

fn next_place(at: Place) -> Place {
  var s = at.s;
  var r = at.r;
  var t = at.t;
  var c = at.c;
  var x = at.x;
  var y = at.y;
  var z = at.z;
  var group = at.group;
  var carry = carried(&s, true, params.kernel_x);
  carry = carried(&r, carry, params.kernel_y);
  carry = carried(&t, carry, params.kernel_z);
  carry = carried(&c, carry, params.channels);
  carry = carried(&x, carry, params.out_x);
  carry = carried(&y, carry, params.out_y);
  carry = carried(&z, carry, params.out_z);
  carry = carried(&group, carry, params.channel_groups);
  return Place(s, r, t, c, x, y, z, group, at.picture + u32(carry));
}

fn byte_at(at: Place) -> u32 {
  let z = u32(i32(at.z * params.stride_z + at.t * params.dilation_z) - i32(params.pad_z));
  let y = u32(i32(at.y * params.stride_y + at.r * params.dilation_y) - i32(params.pad_y));
  let x = u32(i32(at.x * params.stride_x + at.s * params.dilation_x) - i32(params.pad_x));
  let inside = z < params.depth && y < params.height && x < params.width && at.picture < params.pictures;
  let plane = (at.picture * params.channel_groups + at.group) * params.channels + at.c;
  let index = ((plane * params.depth + z) * params.height + y) * params.width + x;
  return u32(select(zero_point(), i32(load_x(select(0u, index, inside))), inside)) & 0xffu;
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
  if (index >= params.words) { return; }
  var at = place_of(4u * index);
  var word = 0u;
  for (var i = 0u; i < 4u; i++) {
    word |= byte_at(at) << (8u * i);
    at = next_place(at);
  }
  store_y(index, word);
}
