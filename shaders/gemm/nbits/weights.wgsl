// Weights of BITS bits in blocks along the depth (com.microsoft MatMulNBits), dequantised in registers:
//
//     b       [columns, blocks, block_words]   words of PER_WORD weights, the first in the lowest bits
//     scales  [columns, blocks]
//     weight = (q - zero of its block) * scale of its block             zero_of: zero-middle, zero-packed or zero-float.wgsl
//
// How words are read is said by words-one.wgsl or words-four.wgsl.
//
// Columns past the last are read as the last and never stored.

const PER_WORD = 32u / BITS;
const MASK = (1u << BITS) - 1u;

fn four_scales(column: u32, block: u32) -> vec4<f32> {
  var scales = vec4<f32>();
  for (var j = 0u; j < 4u; j++) { scales[j] = load_scales(min(column + j, params.columns - 1u) * params.blocks + block); }
  return scales;
}

fn four_zeros(column: u32, block: u32) -> vec4<f32> {
  var zeros = vec4<f32>();
  for (var j = 0u; j < 4u; j++) { zeros[j] = zero_of(min(column + j, params.columns - 1u), block); }
  return zeros;
}

/// Weight i of each of four words.
fn weights_at(words: vec4<u32>, i: u32, zeros: vec4<f32>, scales: vec4<f32>) -> vec4<f32> {
  return (vec4<f32>((words >> vec4<u32>(BITS * i)) & vec4<u32>(MASK)) - zeros) * scales;
}
