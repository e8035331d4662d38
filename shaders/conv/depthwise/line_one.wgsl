// A line is one filter of nchw, filters as the op has them. X lies in any layout.

alias value_t = f32;
/// Where a picture's channel begins.
alias Source = u32;
struct Row { start: u32, there: bool }

fn source_of(at: Place) -> Source {
  let c = quotient(at.line, params.multiplier, params.multiplier_inverse);
  return at.n * params.x_picture + c / 4u * params.x_quad + c % 4u * params.x_channel;
}

fn source_row(source: Source, offset: u32, there: bool) -> Row { return Row(source + offset, there); }

/// 0 in the padding, which is read from element 0.
fn value_at(row: Row, x: u32) -> f32 {
  let inside = row.there && x < params.width;
  return select(0.0, load_x(select(0u, row.start + x * params.x_x, inside)), inside);
}

fn filter_at(line: u32, tap: u32) -> f32 { return load_w(line * params.taps + tap); }

fn bias_at(line: u32) -> f32 { return bias_of(line); }

fn finish(at: Place, y: u32, x: u32, sum: f32) {
  let index = params.y_offset + at.n * params.y_picture + at.line * params.y_channel + at.z * params.y_z + y * params.y_y + x * params.y_x;
  store_y(index, activated(sum + residual_of(index)));
}
