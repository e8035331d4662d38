// Where the slices of a batched product begin. Slices run over up to four batch dimensions, 3 the innermost; a dimension that is
// broadcast has stride 0. Offsets are in elements; Y is contiguous.

struct Slice { left: u32, right: u32, y: u32 }

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
    params.y_offset + index * params.rows * params.columns,
  );
}
