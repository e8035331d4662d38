// A line is a quad of filters side by side, those past the last undefined. Filters lie as [tap][filter], in whole quads. `quad_x_*.wgsl`
// says how values of X are loaded, `quad_y_*.wgsl` how sums are stored.

alias value_t = vec4<f32>;
struct Row { source: Source, start: u32, there: bool }

fn source_row(source: Source, offset: u32, there: bool) -> Row { return Row(source, offset, there); }

/// 0 in the padding, which is read from element 0.
fn value_at(row: Row, x: u32) -> vec4<f32> {
  let inside = row.there && x < params.width;
  return select(vec4<f32>(), loaded(row.source, row.start + x * params.x_x, inside), vec4<bool>(inside));
}

fn filter_at(line: u32, tap: u32) -> vec4<f32> { return load_w(tap * params.lines + line); }

fn bias_at(line: u32) -> vec4<f32> { return bias_of(line); }

fn finish(at: Place, y: u32, x: u32, sum: vec4<f32>) {
  let start = params.y_offset + at.n * params.y_picture + at.line * params.y_quad;
  finish_quad(at.line, start + at.z * params.y_z + y * params.y_y + x * params.y_x, sum);
}
