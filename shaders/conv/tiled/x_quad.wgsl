// Four channels at a time, which lie side by side and begin with a quad.
alias value_t = vec4<f32>;

fn channel_start(c: u32) -> u32 { return c / 4u * params.x_quad; }

/// Where a chunk's channel e lies from its first.
fn chunk_offset(e: u32) -> u32 { return e / 4u * params.x_quad; }

fn value_at(index: u32, inside: bool) -> vec4<f32> {
  return select(vec4<f32>(), load_x(select(0u, index / 4u, inside)), vec4<bool>(inside));
}

fn channel_of(value: vec4<f32>, i: u32) -> f32 { return value[i]; }
