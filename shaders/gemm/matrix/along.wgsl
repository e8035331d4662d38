// One side of a product, staged for matrix units as lines along the depth (after ../read). SIDE is left or right, TILE_LINES how many
// lines a workgroup stages. A quad is four values of depth:
//
//      depth   k0 .. k0+3   k0+4 ..   ...   | PAD
//   line 0   [ quad 0     | quad 1  | ...   |    ]      lines past the last are read as the last, and their sums never stored;
//   line 1   [ quad q     | ...             |    ]      values past the depth are 0
//
// Rows are padded so that the eight or sixteen lines of a fragment begin in different banks of workgroup memory.

const SIDE_wide = TILE_DEPTH / 4u;
const SIDE_stride = SIDE_wide + PAD;
const SIDE_parts = TILE_LINES * SIDE_wide;
const SIDE_size = TILE_LINES * SIDE_stride;

alias SIDE_t = vec4<value_t>;

var<workgroup> SIDE_tile: array<SIDE_t, STAGES * SIDE_size>;

/// What a lane brings of the tile whose first line is `line` and whose depth begins at `k0`: its `turn`-th quad.
fn SIDE_fetch(slice: Slice, line: u32, k0: u32, lane: u32, turn: u32) -> SIDE_t {
  let index = lane + turn * LANES;
  let k = k0 + 4u * (index % SIDE_wide);
  if (k >= params.depth) { return SIDE_t(); }
  return SIDE_along(slice, min(line + index / SIDE_wide, params.SIDE_lines - 1u), k);
}

fn SIDE_put(stage: u32, lane: u32, turn: u32, quad: SIDE_t) {
  let index = lane + turn * LANES;
  SIDE_tile[stage * SIDE_size + (index / SIDE_wide) * SIDE_stride + index % SIDE_wide] = quad;
}

/// The fragment at a line and a depth of the tile.
fn SIDE_fragment(stage: u32, line: u32, k: u32) -> SIDE_matrix {
  return subgroupMatrixLoad<SIDE_matrix, MAJOR>(&SIDE_tile, stage * SIDE_size + line * SIDE_stride + k / 4u, SIDE_stride);
}
