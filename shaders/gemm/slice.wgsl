// Where the slices of a batched product begin. Slices run over up to four batch dimensions, 3 the innermost; a dimension that is
// broadcast has stride 0. Offsets are in elements, `terms` that of scale and bias.

struct Slice { left: u32, right: u32, y: u32, terms: u32 }

fn slice_of(index: u32) -> Slice {
  var rest = index;
  let i3 = rest % params.batch3;
  rest /= params.batch3;
  let i2 = rest % params.batch2;
  rest /= params.batch2;
  let i1 = rest % params.batch1;
  let i0 = rest / params.batch1;
  return Slice(
    params.left_offset + i0 * params.left_batch0 + i1 * params.left_batch1 + i2 * params.left_batch2 + i3 * params.left_batch3,
    params.right_offset + i0 * params.right_batch0 + i1 * params.right_batch1 + i2 * params.right_batch2 + i3 * params.right_batch3,
    params.y_offset + i0 * params.y_batch0 + i1 * params.y_batch1 + i2 * params.y_batch2 + i3 * params.y_batch3,
    i0 * params.terms_batch0 + i1 * params.terms_batch1 + i2 * params.terms_batch2 + i3 * params.terms_batch3,
  );
}
