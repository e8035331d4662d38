// Where the maximum was, as a position in the whole flattened input; the spatial axes counted from the last in, or from the
// first in (first_innermost).
fn note_index(index: u32, plane: u32, at: vec3<u32>) {
  let last_innermost = (at.x * params.in1 + at.y) * params.in2 + at.z;
  let first_innermost = at.x + params.in0 * (at.y + params.in1 * at.z);
  let position = select(last_innermost, first_innermost, params.first_innermost == 1u);
  store_indices(index, vec2<u32>(plane * params.in0 * params.in1 * params.in2 + position, 0u));
}
