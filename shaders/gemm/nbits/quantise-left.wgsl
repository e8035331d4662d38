// Rounds A [rows, depth] to signed bytes, each block of a row by a scale of its own (largest magnitude = 127), and packs them for
// dot4I8Packed in the order that packed weights come apart in:
//
//     BITS 8   word w   k = 4w   4w+1  4w+2  4w+3
//     BITS 4   a weight word holds k .. k+7; its low halves are k, k+2, k+4, k+6, its high halves the others:
//              word 2w  k = 8w   8w+2  8w+4  8w+6          word 2w+1  k = 8w+1  8w+3  8w+5  8w+7
//
// An invocation makes one block. `steps` holds the scale, `totals` the sum of the block's bytes, which zero points multiply.
//
// A block with a NaN has a NaN as its step, and one with infinities an infinity: there bytes are the signs of the infinities, and 0.

const INFINITY_BITS = 0x7f800000u;

/// |x| as bits, which order as magnitudes do: numbers, infinity, NaN.
fn magnitude_bits(x: f32) -> u32 { return bitcast<u32>(x) & 0x7fffffffu; }

fn left_one(row: u32, k: u32) -> f32 {
  if (k >= params.depth) { return 0.0; }
  return load_a(row * params.depth + k);
}

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.rows * params.blocks) { return; }
  let row = index / params.blocks;
  let k0 = (index % params.blocks) * params.block;

  var largest_bits = 0u;
  for (var k = 0u; k < params.block; k++) { largest_bits = max(largest_bits, magnitude_bits(left_one(row, k0 + k))); }
  let largest = bitcast<f32>(largest_bits);
  let finite = largest_bits < INFINITY_BITS;
  var step = largest;
  // A block of zeros has any step.
  if (finite) { step = select(largest / 127.0, 1.0, largest_bits == 0u); }
  var total = 0;
  let words = params.block / 4u;
  for (var w = 0u; w < words; w++) {
    var word = 0u;
    for (var j = 0u; j < 4u; j++) {
      var k = 4u * w + j;
      if (BITS == 4u) { k = 8u * (w / 2u) + 2u * j + w % 2u; }
      let left = left_one(row, k0 + k);
      var value = 0;
      if (finite) {
        value = i32(clamp(round(left / step), -127.0, 127.0));
      } else if (magnitude_bits(left) == INFINITY_BITS) {
        value = select(-1, 1, left > 0.0);
      }
      total += value;
      word |= (u32(value) & 0xffu) << (8u * j);
    }
    store_bytes(index * words + w, word);
  }
  store_steps(index, step);
  store_totals(index, total);
}
