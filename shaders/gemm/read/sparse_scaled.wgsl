// Scales of the values of a 2:4 side (sparse.wgsl), one for each line and block of depth, which is whole words.
fn SIDE_scale(line: u32, group: u32) -> vec4<value_t> {
  return vec4<value_t>(load_scales((group / params.scales_groups * params.scales_step + line) / 4u));
}
