// Where the slices of a batched product of bytes begin: up to four batch dimensions, 3 the innermost, with stride 0 where an
// operand is broadcast. Offsets are in elements; Y is contiguous.

struct Slice {
  /// The index along each batch dimension: what scales and zero points find their own start by.
  at: vec4<u32>,
  a: u32,
  b: u32,
  y: u32,
}

fn slice_of(index: u32) -> Slice {
  var rest = index;
  var at: vec4<u32>;
  at.w = rest % params.batch3;
  rest /= params.batch3;
  at.z = rest % params.batch2;
  rest /= params.batch2;
  at.y = rest % params.batch1;
  at.x = rest / params.batch1;
  return Slice(
    at,
    params.a_offset + dot(at, vec4<u32>(params.a_batch0, params.a_batch1, params.a_batch2, params.a_batch3)),
    params.b_offset + dot(at, vec4<u32>(params.b_batch0, params.b_batch1, params.b_batch2, params.b_batch3)),
    params.y_offset + index * params.rows * params.columns,
  );
}
