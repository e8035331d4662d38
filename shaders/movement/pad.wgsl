// y = x with elements added or removed at the ends of up to 8 axes. Axis 0 is the innermost. Along each axis the coordinate in x is
// the coordinate in y minus `begin`; where that lies outside, MODE says which element is read: none (CONSTANT), the nearest (EDGE), the
// mirror image without repeating the border (REFLECT), or the one a whole extent away (WRAP). After fill_*.wgsl.

const CONSTANT = 0u;
const EDGE = 1u;
const REFLECT = 2u;
const WRAP = 3u;

/// i modulo n, never negative.
fn modulo(i: i32, n: i32) -> i32 { return ((i % n) + n) % n; }

/// The coordinate to read along an axis of n elements, -1 for none.
fn source(i: i32, n: i32) -> i32 {
  if (i >= 0 && i < n) { return i; }
  switch params.mode {
    case EDGE: { return clamp(i, 0, n - 1); }
    case REFLECT: {
      let turn = modulo(i, max(2 * (n - 1), 1));
      return min(turn, 2 * (n - 1) - turn);
    }
    case WRAP: { return modulo(i, n); }
    default: { return -1; }
  }
}

struct Walk { rest: u32, at: u32, stride: u32, outside: bool }

fn along(walk: ptr<function, Walk>, coordinate: u32, extent: i32, begin: i32) {
  let i = source(i32(coordinate) - begin, extent);
  if (i < 0) { (*walk).outside = true; }
  (*walk).at += u32(i) * (*walk).stride;
  (*walk).stride *= u32(extent);
}

fn inner(walk: ptr<function, Walk>, out_extent: u32, extent: i32, begin: i32) {
  let coordinate = (*walk).rest % out_extent;
  (*walk).rest = (*walk).rest / out_extent;
  along(walk, coordinate, extent, begin);
}

@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.count) { return; }
  var walk = Walk(index, 0u, 1u, false);
  if (params.rank > 1u) { inner(&walk, params.out_0, params.in_0, params.begin_0); }
  if (params.rank > 2u) { inner(&walk, params.out_1, params.in_1, params.begin_1); }
  if (params.rank > 3u) { inner(&walk, params.out_2, params.in_2, params.begin_2); }
  if (params.rank > 4u) { inner(&walk, params.out_3, params.in_3, params.begin_3); }
  if (params.rank > 5u) { inner(&walk, params.out_4, params.in_4, params.begin_4); }
  if (params.rank > 6u) { inner(&walk, params.out_5, params.in_5, params.begin_5); }
  if (params.rank > 7u) { inner(&walk, params.out_6, params.in_6, params.begin_6); }
  along(&walk, walk.rest, params.in_outer, params.begin_outer);
  if (walk.outside) { store_y(index, fill_value()); } else { store_y(index, load_x(walk.at)); }
}
