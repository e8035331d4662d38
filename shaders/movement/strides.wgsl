// After runtime/quotient.wgsl. Where element `index` of a loop nest lies in two tensors: offset + Σ coordinate · stride, for up to 8 axes.
// Axis 0 is the innermost. The outermost axis takes what is left of the index, so that a nest of one axis costs no division.
// Strides may be negative: sums wrap modulo 2^32.

struct Place { p: u32, q: u32 }

fn walk(place: ptr<function, Place>, rest: ptr<function, u32>, extent: u32, inverse: f32, p: u32, q: u32) {
  let outer = quotient(*rest, extent, inverse);
  let coordinate = *rest - outer * extent;
  *rest = outer;
  (*place).p += coordinate * p;
  (*place).q += coordinate * q;
}

fn locate(index: u32) -> Place {
  var place = Place(params.p_offset, params.q_offset);
  var rest = index;
  if (params.rank > 1u) { walk(&place, &rest, params.extent_0, params.inverse_0, params.p_0, params.q_0); }
  if (params.rank > 2u) { walk(&place, &rest, params.extent_1, params.inverse_1, params.p_1, params.q_1); }
  if (params.rank > 3u) { walk(&place, &rest, params.extent_2, params.inverse_2, params.p_2, params.q_2); }
  if (params.rank > 4u) { walk(&place, &rest, params.extent_3, params.inverse_3, params.p_3, params.q_3); }
  if (params.rank > 5u) { walk(&place, &rest, params.extent_4, params.inverse_4, params.p_4, params.q_4); }
  if (params.rank > 6u) { walk(&place, &rest, params.extent_5, params.inverse_5, params.p_5, params.q_5); }
  if (params.rank > 7u) { walk(&place, &rest, params.extent_6, params.inverse_6, params.p_6, params.q_6); }
  place.p += rest * params.p_outer;
  place.q += rest * params.q_outer;
  return place;
}
