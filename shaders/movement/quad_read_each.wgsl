// Four neighbours of x; those past its end are whatever, and nothing stores them.
fn read_quad(index: u32) -> vec4<f32> {
  let last = params.x_last;
  return vec4<f32>(load_x(min(index, last)), load_x(min(index + 1u, last)), load_x(min(index + 2u, last)), load_x(min(index + 3u, last)));
}
