// Product with packed weights for a few rows: what it costs is reading the weights once. A workgroup owns ROWS rows by 4*ACROSS
// columns; ALONG invocations share the depth of each four columns, WORDS words each, so that neighbours read neighbouring words:
//
//     lane = across * ALONG + along        column c   [ words | words | ... | words ][ words | ...
//                                                     along=0       1       ALONG-1        0
//
// The shares of a row then meet in workgroup memory.

var<workgroup> shares: array<vec4<f32>, LANES>;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let row0 = (group / params.column_tiles) * ROWS;
  let along = lane % ALONG;
  let first = lane - along;
  let column = 4u * ((group % params.column_tiles) * ACROSS + lane / ALONG);

  var acc: array<vec4<f32>, ROWS>;
  for (var word = along * WORDS; word < params.blocks * params.block_words; word += ALONG * WORDS) {
    let block = word / params.block_words;
    var words = words_at(column, block, word % params.block_words);
    let scales = four_scales(column, block);
    let zeros = four_zeros(column, block);
    for (var w = 0u; w < WORDS; w++) {
      for (var h = 0u; h < PER_WORD / 4u; h++) {
        let w0 = weights_at(words[w], 4u * h, zeros, scales);
        let w1 = weights_at(words[w], 4u * h + 1u, zeros, scales);
        let w2 = weights_at(words[w], 4u * h + 2u, zeros, scales);
        let w3 = weights_at(words[w], 4u * h + 3u, zeros, scales);
        for (var r = 0u; r < ROWS; r++) {
          let a = left_quad(min(row0 + r, params.rows - 1u), (word + w) * PER_WORD + 4u * h);
          acc[r] = fma(vec4<f32>(a.x), w0, acc[r]);
          acc[r] = fma(vec4<f32>(a.y), w1, acc[r]);
          acc[r] = fma(vec4<f32>(a.z), w2, acc[r]);
          acc[r] = fma(vec4<f32>(a.w), w3, acc[r]);
        }
      }
    }
  }

  for (var r = 0u; r < ROWS; r++) {
    // The same for the whole workgroup.
    if (row0 + r >= params.rows) { break; }
    shares[lane] = acc[r];
    workgroupBarrier();
    if (along == r % ALONG && column < params.columns) {
      var sum = vec4<f32>();
      for (var j = 0u; j < ALONG; j++) { sum += shares[first + j]; }
      finish_quad(Slice(0u, 0u), row0 + r, column, sum);
    }
    workgroupBarrier();
  }
}
