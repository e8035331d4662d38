// Copies where x runs along one axis (a) and y along another (b): blocks of 4 x 4, one per invocation, so that both sides are touched in
// whole quads. Up to two axes more lie around them. Where a quad cannot be moved at once (quad_read_each.wgsl, quad_store_each.wgsl)
// its elements are.
//
//          a ->                        b ->
//     b  +--------+               a  +--------+
//        | x quad |                  | y quad |          y[a][b] = x[b][a]
//        +--------+                  +--------+

@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.count) { return; }
  let column = quotient(index, params.blocks_b, params.blocks_b_inverse);
  let outer = quotient(column, params.blocks_a, params.blocks_a_inverse);
  let outermost = quotient(outer, params.extent_inner, params.extent_inner_inverse);
  let inner = outer - outermost * params.extent_inner;
  let a = 4u * (column - outer * params.blocks_a);
  let b = 4u * (index - column * params.blocks_b);
  let p = params.p_offset + outermost * params.p_outer + inner * params.p_inner + a;
  let q = params.q_offset + outermost * params.q_outer + inner * params.q_inner + b;
  let last = params.extent_b - 1u;
  let block = transpose(mat4x4<f32>(
    read_quad(p + b * params.p_b),
    read_quad(p + min(b + 1u, last) * params.p_b),
    read_quad(p + min(b + 2u, last) * params.p_b),
    read_quad(p + min(b + 3u, last) * params.p_b),
  ));
  let stored = min(params.extent_b - b, 4u);
  store_quad(q + a * params.q_a, block[0], stored);
  if (a + 1u < params.extent_a) { store_quad(q + (a + 1u) * params.q_a, block[1], stored); }
  if (a + 2u < params.extent_a) { store_quad(q + (a + 2u) * params.q_a, block[2], stored); }
  if (a + 3u < params.extent_a) { store_quad(q + (a + 3u) * params.q_a, block[3], stored); }
}
