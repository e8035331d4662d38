// An input word read straight from storage by its coordinates; zero padding is not a load.
fn padded_input(g: u32, n: u32, c: u32, p: u32, q: u32, r: u32, s: u32) -> f32 {
  let h = i32(p * params.stride_y + r * params.dilation_y) - params.pad_top;
  let w = i32(q * params.stride_x + s * params.dilation_x) - params.pad_left;
  let plane = (n * params.groups_G + g) * params.C + c;
  if (h < 0 || h >= i32(params.H) || w < 0 || w >= i32(params.W)) { return padding_input(plane, h, w); }
  return dram_load_inputs((plane * params.H + u32(h)) * params.W + u32(w));
}
