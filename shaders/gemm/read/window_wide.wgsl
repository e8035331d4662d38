// What a window loads (window.wgsl) where the four channels of a quad lie side by side: OPERAND is bound four elements wide.

fn SIDE_loaded(index: u32) -> value_t {
  return value_t(load_OPERAND(index / 4u)[index % 4u]);
}

fn SIDE_quad(index: u32) -> vec4<value_t> {
  return vec4<value_t>(load_OPERAND(index / 4u));
}
