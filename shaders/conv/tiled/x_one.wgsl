// Channels one by one, in any layout; those of a chunk lie `x_channel` apart.
alias value_t = f32;

fn channel_start(c: u32) -> u32 { return c / 4u * params.x_quad + c % 4u * params.x_channel; }

/// Where a chunk's channel e lies from its first.
fn chunk_offset(e: u32) -> u32 { return e * params.x_channel; }

fn value_at(index: u32, inside: bool) -> f32 {
  return select(0.0, load_x(select(0u, index, inside)), inside);
}

fn channel_of(value: f32, i: u32) -> f32 { return value; }
