// What a window loads (window.wgsl) element by element, the four channels of a quad `window_channel` apart.

fn SIDE_loaded(index: u32) -> value_t {
  return value_t(load_OPERAND(index));
}

fn SIDE_quad(index: u32) -> vec4<value_t> {
  let step = params.window_channel;
  return vec4<value_t>(
    SIDE_loaded(index),
    SIDE_loaded(index + step),
    SIDE_loaded(index + 2u * step),
    SIDE_loaded(index + 3u * step),
  );
}
