// A convolution seen as the product of its patches: pixel = (n, p, q) of the output, tap = (c, r, s) of the window. Each function
// is one word entering the array at an edge; zero padding enters too, but is no load.

fn inject_weights(g: u32, tap: u32, m: u32) -> f32 {
  count_injected_weights();
  return dram_load_weights((g * params.M + m) * params.window + tap);
}

fn inject_inputs(g: u32, pixel: u32, tap: u32) -> f32 {
  count_injected_inputs();
  let q = pixel % params.Q;
  let np = pixel / params.Q;
  let s = tap % params.S;
  let cr = tap / params.S;
  let h = i32((np % params.P) * params.stride_y + (cr % params.R) * params.dilation_y) - params.pad_top;
  let w = i32(q * params.stride_x + s * params.dilation_x) - params.pad_left;
  if (h < 0 || h >= i32(params.H) || w < 0 || w >= i32(params.W)) { return 0.0; }
  let plane = ((np / params.P) * params.groups_G + g) * params.C + cr / params.R;
  return dram_load_inputs((plane * params.H + u32(h)) * params.W + u32(w));
}

fn output_at(g: u32, pixel: u32, m: u32) -> u32 {
  let plane = params.P * params.Q;
  return (((pixel / plane) * params.groups_G + g) * params.M + m) * plane + pixel % plane;
}
