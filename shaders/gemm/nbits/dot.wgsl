// Tiled product with packed weights of activations that were rounded to bytes per block (quantise-left.wgsl). A workgroup owns
// 4*WORKGROUP_Y rows by 4*WORKGROUP_X columns and walks the depth sixteen weights at a time, four words of signed bytes on each side:
//
//                      right_tile  x ->  [c0 c1 c2 c3] per word      bytes of q; 8-bit ones less 128
//                    +-----------------------------
//     left_tile [r0] |  dots[0] += dot(r0, c0 c1 c2 c3)
//       y       [..] |  ...
//
//     acc += step * scale * (dots - zero * sum of the row's bytes)         at the end of each block
//
// Integers are exact within a block: at most 2^16 products of 127 * 128. A step that is infinite marks a block with infinities, which
// is multiplied value by value; one that is NaN makes every sum NaN.

var<workgroup> left_tile: array<vec4<u32>, TILE_WORDS * WORKGROUP_Y>;
var<workgroup> right_tile: array<vec4<u32>, TILE_WORDS * WORKGROUP_X>;

/// The products of a block whose bytes, from word `start` on, are the signs of infinities. As floats give them: an infinity of the
/// weight's sign, NaN for a weight of 0 and where signs differ.
fn infinite_products(start: u32, infinity: f32, column: u32, block: u32) -> vec4<f32> {
  let scales = four_scales(column, block);
  let zeros = four_zeros(column, block);
  var sums = vec4<f32>();
  for (var word = 0u; word < params.block_words * PER_WORD / 4u; word++) {
    let bytes = load_bytes(start + word);
    if (bytes == 0u) { continue; }
    for (var j = 0u; j < 4u; j++) {
      let sign = extractBits(bitcast<i32>(bytes), 8u * j, 8u);
      if (sign == 0) { continue; }
      // Where the byte's weight is: see quantise-left.wgsl.
      var weight_word = word;
      var i = j;
      if (BITS == 4u) {
        weight_word = word / 2u;
        i = 2u * j + word % 2u;
      }
      sums += f32(sign) * infinity * weights_at(words_at(column, block, weight_word)[0], i, zeros, scales);
    }
  }
  return sums;
}

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let row0 = (group / params.column_tiles) * (4u * WORKGROUP_Y);
  let column0 = (group % params.column_tiles) * (4u * WORKGROUP_X);
  let x = lane % WORKGROUP_X;
  let y = lane / WORKGROUP_X;
  let column = column0 + 4u * x;
  // Words of bytes in a block of a row, and in TILE_WORDS of them the words of weights.
  let block_bytes = params.block_words * PER_WORD / 4u;
  let tile_weights = TILE_WORDS * BITS / 8u;

  var acc: array<vec4<f32>, 4>;
  for (var block = 0u; block < params.blocks; block++) {
    var dots: array<vec4<i32>, 4>;
    for (var i = 0u; i < 4u; i++) { dots[i] = vec4<i32>(); }
    for (var word = 0u; word < block_bytes; word += TILE_WORDS) {
      for (var i = lane; i < TILE_WORDS * WORKGROUP_Y; i += LANES) {
        var quad = vec4<u32>();
        for (var j = 0u; j < 4u; j++) {
          let row = min(row0 + 4u * (i / TILE_WORDS) + j, params.rows - 1u);
          quad[j] = load_bytes((row * params.blocks + block) * block_bytes + word + i % TILE_WORDS);
        }
        left_tile[(i % TILE_WORDS) * WORKGROUP_Y + i / TILE_WORDS] = quad;
      }
      for (var i = lane; i < tile_weights * WORKGROUP_X; i += LANES) {
        let columns = i % WORKGROUP_X;
        let w = i / WORKGROUP_X;
        let words = words_at(column0 + 4u * columns, block, (word / TILE_WORDS) * tile_weights + w)[0];
        if (BITS == 4u) {
          right_tile[2u * w * WORKGROUP_X + columns] = words & vec4<u32>(0x0f0f0f0fu);
          right_tile[(2u * w + 1u) * WORKGROUP_X + columns] = (words >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
        } else {
          right_tile[w * WORKGROUP_X + columns] = words ^ vec4<u32>(0x80808080u);
        }
      }
      workgroupBarrier();
      for (var w = 0u; w < TILE_WORDS; w++) {
        let l = left_tile[w * WORKGROUP_Y + y];
        let r = right_tile[w * WORKGROUP_X + x];
        for (var i = 0u; i < 4u; i++) {
          dots[i] += vec4<i32>(dot4I8Packed(l[i], r.x), dot4I8Packed(l[i], r.y), dot4I8Packed(l[i], r.z), dot4I8Packed(l[i], r.w));
        }
      }
      workgroupBarrier();
    }
    let scales = four_scales(column, block);
    let zeros = four_zeros(column, block) - vec4<f32>(select(0.0, 128.0, BITS == 8u));
    for (var i = 0u; i < 4u; i++) {
      let at = min(row0 + 4u * y + i, params.rows - 1u) * params.blocks + block;
      let step = load_steps(at);
      if (bitcast<u32>(step) == 0x7f800000u) {
        acc[i] += infinite_products(at * block_bytes, step, column, block);
        continue;
      }
      let sums = vec4<f32>(dots[i]) - zeros * f32(load_totals(at));
      // Weights first: sums of bytes times a large step overflow where the product is far from it.
      acc[i] = fma(sums * scales, vec4<f32>(step), acc[i]);
    }
  }

  for (var i = 0u; i < 4u; i++) {
    let row = row0 + 4u * y + i;
    if (row < params.rows && column < params.columns) { finish_quad(Slice(0u, 0u), row, column, acc[i]); }
  }
}
