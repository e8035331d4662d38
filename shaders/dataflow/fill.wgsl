// Moving tiles between storage ("DRAM") and workgroup memory ("global buffer"): all lanes take words in turn. A tile is laid out
// at its full extent, [M][C][R][S], [N][C][rows][columns] and [N][M][P][Q]; words outside the problem are neither moved nor counted.

fn fill_weights(g: u32, m0: u32, c0: u32, r0: u32, s0: u32, lane: u32) {
  let words = params.tile_M * params.tile_C * params.tile_R * params.tile_S;
  for (var i = lane; i < words; i += LANES) {
    let s = s0 + i % params.tile_S;
    var rest = i / params.tile_S;
    let r = r0 + rest % params.tile_R;
    rest = rest / params.tile_R;
    let c = c0 + rest % params.tile_C;
    let m = m0 + rest / params.tile_C;
    if (m < params.M && c < params.C && r < params.R && s < params.S) {
      glb_store_weights(params.glb_weights + i, dram_load_weights((((g * params.M + m) * params.C + c) * params.R + r) * params.S + s));
    }
  }
}

/// The window of p0 … p0+tile_P−1 and r0 … r0+tile_R−1 (clipped to the problem), and the same along columns. Padding is stored as zero.
fn fill_inputs(g: u32, n0: u32, c0: u32, p0: u32, q0: u32, r0: u32, s0: u32, lane: u32) {
  let rows = (min(params.tile_P, params.P - p0) - 1u) * params.stride_y + (min(params.tile_R, params.R - r0) - 1u) * params.dilation_y + 1u;
  let columns = (min(params.tile_Q, params.Q - q0) - 1u) * params.stride_x + (min(params.tile_S, params.S - s0) - 1u) * params.dilation_x + 1u;
  let h0 = i32(p0 * params.stride_y + r0 * params.dilation_y) - params.pad_top;
  let w0 = i32(q0 * params.stride_x + s0 * params.dilation_x) - params.pad_left;
  let planes = min(params.tile_N, params.N - n0) * params.tile_C;
  let words = planes * rows * columns;
  for (var i = lane; i < words; i += LANES) {
    let column = i % columns;
    var rest = i / columns;
    let row = rest % rows;
    rest = rest / rows;
    let c = rest % params.tile_C;
    let n = rest / params.tile_C;
    if (c0 + c < params.C) {
      let h = h0 + i32(row);
      let w = w0 + i32(column);
      let plane = ((n0 + n) * params.groups_G + g) * params.C + c0 + c;
      var value: f32;
      if (h >= 0 && h < i32(params.H) && w >= 0 && w < i32(params.W)) {
        value = dram_load_inputs((plane * params.H + u32(h)) * params.W + u32(w));
      } else {
        value = padding_input(plane, h, w);
      }
      glb_store_inputs(params.glb_inputs + ((n * params.tile_C + c) * params.tile_H + row) * params.tile_W + column, value);
    }
  }
}

/// Partial sums of an earlier visit come back.
fn fill_outputs(g: u32, n0: u32, m0: u32, p0: u32, q0: u32, lane: u32) {
  move_outputs(g, n0, m0, p0, q0, lane, true);
}

/// The tile leaves: each word once.
fn drain_outputs(g: u32, n0: u32, m0: u32, p0: u32, q0: u32, lane: u32) {
  move_outputs(g, n0, m0, p0, q0, lane, false);
}

fn move_outputs(g: u32, n0: u32, m0: u32, p0: u32, q0: u32, lane: u32, inward: bool) {
  let words = params.tile_N * params.tile_M * params.tile_P * params.tile_Q;
  for (var i = lane; i < words; i += LANES) {
    let q = q0 + i % params.tile_Q;
    var rest = i / params.tile_Q;
    let p = p0 + rest % params.tile_P;
    rest = rest / params.tile_P;
    let m = m0 + rest % params.tile_M;
    let n = n0 + rest / params.tile_M;
    if (n < params.N && m < params.M && p < params.P && q < params.Q) {
      let there = (((n * params.groups_G + g) * params.M + m) * params.P + p) * params.Q + q;
      if (inward) {
        glb_store_outputs(params.glb_outputs + i, dram_load_outputs(there));
      } else {
        dram_store_outputs(there, glb_load_outputs(params.glb_outputs + i));
      }
    }
  }
}
