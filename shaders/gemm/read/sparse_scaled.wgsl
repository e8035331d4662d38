// Values of a 2:4 side (sparse.wgsl) times the scales of their block of depth.
fn SIDE_scaled(pair: Pair, line: u32, group: u32) -> Pair {
  let scale = vec4<value_t>(load_scales((group / params.scales_groups * params.scales_step + line) / 4u));
  return Pair(pair.first * scale, pair.second * scale);
}
