// Packs weights in 2:4 as kernels read them (src/ops/gemm/packed.ts): of every four along the depth the two of largest magnitude, the lower
// first where two are alike. An invocation packs a word of a line, eight groups; PANEL lines lie side by side in what it writes:
//
//     x  [slice][line][k], at any strides         y  values [slice][panel][word · 16 + slot][line] (pack_values.wgsl), or
//                                                    seats  [slice][panel][word][line] (pack_seats.wgsl)
//
// k counts `inner` of `inner_step` first, then what is `outer_step` apart (taps). Of the inner ones `held` are there.

/// How many of the other three go before each: the two that none or one goes before are kept. NaN goes before all.
fn ranks(values: vec4<f32>, there: vec4<bool>) -> vec4<u32> {
  var sizes = select(abs(values), vec4<f32>(3.402823e38f), values != values);
  sizes = select(vec4<f32>(-1f), sizes, there);
  var rank = vec4<u32>();
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (sizes[j] > sizes[i] || (sizes[j] == sizes[i] && j < i)) { rank[i]++; }
    }
  }
  return rank;
}

@compute @workgroup_size(WORKGROUP_X)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let index = group * LANES + lane;
  if (index >= params.count) { return; }
  let line = index % params.lines;
  let word = index / params.lines % params.words;
  let slice = index / (params.lines * params.words);
  let start = slice * params.slice + line * params.line;
  let row = (slice * params.panels + line / PANEL) * params.words + word;
  var seats = 0u;
  for (var g = 0u; g < 8u; g++) {
    var values = vec4<f32>();
    var there = vec4<bool>();
    for (var i = 0u; i < 4u; i++) {
      let k = 32u * word + 4u * g + i;
      let outer = min(k, params.depth - 1u) / params.inner;
      let inner = min(k, params.depth - 1u) - outer * params.inner;
      there[i] = k < params.depth && inner < params.held;
      let at = start + outer * params.outer_step + min(inner, params.held - 1u) * params.inner_step;
      values[i] = select(0f, load_x(at), there[i]);
    }
    let rank = ranks(values, there);
    var slot = 0u;
    for (var i = 0u; i < 4u; i++) {
      if (rank[i] > 1u) { continue; }
      seats |= i << (4u * g + 2u * slot);
      store_value((row * 16u + 2u * g + slot) * PANEL + line % PANEL, values[i]);
      slot++;
    }
  }
  store_seats(row * PANEL + line % PANEL, seats);
}
