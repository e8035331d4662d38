// A lane's walk down a matrix of values (vector_product.wgsl), four steps of depth at a time.
fn walk(slice: Slice, way: Way, row0: u32, part: u32, acc: ptr<function, Sums>) {
  let last_quad = (params.columns - 1u) / 4u;
  let end = min(params.depth, (part + 1u) * params.part_depth);
  for (var k = part * params.part_depth + 4u * way.along; k < end; k += 4u * ALONG) {
    var right: array<mat4x4<value_t>, STRIPS>;
    for (var v = 0u; v < STRIPS; v++) { right[v] = right_block(slice, 4u * min(way.quad0 + v * ACROSS, last_quad), k); }
    for (var r = 0u; r < ROWS; r++) {
      let a = vec4<acc_t>(left_along(slice, min(row0 + r, params.rows - 1u), k));
      for (var v = 0u; v < STRIPS; v++) {
        acc[r][v] = fma(vec4<acc_t>(a.x), vec4<acc_t>(right[v][0]), acc[r][v]);
        acc[r][v] = fma(vec4<acc_t>(a.y), vec4<acc_t>(right[v][1]), acc[r][v]);
        acc[r][v] = fma(vec4<acc_t>(a.z), vec4<acc_t>(right[v][2]), acc[r][v]);
        acc[r][v] = fma(vec4<acc_t>(a.w), vec4<acc_t>(right[v][3]), acc[r][v]);
      }
    }
  }
}
