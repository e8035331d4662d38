// One side of a product of bytes, staged for matrix units as lines along the depth, four bytes to a word (after ../integer). SIDE is
// left or right, TILE_LINES how many lines a workgroup stages, SIDE_SUMS where sums of lines meet.
//
//      depth   k0 .. k0+3   k0+4 ..   ...   | PAD
//   line 0   [ word 0     | word 1  | ...   |    ]      lines past the last are read as the last, and their sums never stored;
//   line 1   [ word w     | ...             |    ]      bytes past the depth are 0

alias SIDE_t = u32;

const SIDE_wide = TILE_DEPTH / 4u;
const SIDE_stride = SIDE_wide + PAD;
const SIDE_parts = TILE_LINES * SIDE_wide;
const SIDE_size = TILE_LINES * SIDE_stride;

var<workgroup> SIDE_tile: array<u32, STAGES * SIDE_size>;
var<private> SIDE_own: array<i32, SIDE_SHARE>;

/// What a lane brings of the tile whose first line is `line` and whose depth begins at `k0`: its `turn`-th word.
fn SIDE_fetch(slice: Slice, line: u32, k0: u32, lane: u32, turn: u32) -> u32 {
  let index = lane + turn * LANES;
  let k = k0 + 4u * (index % SIDE_wide);
  if (k >= params.depth) { return 0u; }
  return SIDE_word(slice, min(line + index / SIDE_wide, params.LINE_COUNT - 1u), k);
}

fn SIDE_put(stage: u32, lane: u32, turn: u32, word: u32) {
  let index = lane + turn * LANES;
  SIDE_tile[stage * SIDE_size + (index / SIDE_wide) * SIDE_stride + index % SIDE_wide] = word;
  if (SIDE_SUMMED) { SIDE_own[turn] += dot_bytes(ONES, word); }
}

fn SIDE_settle(lane: u32) {
  for (var turn = 0u; turn < SIDE_SHARE; turn++) {
    let index = lane + turn * LANES;
    if (index < SIDE_parts) { atomicAdd(&SIDE_SUMS[index / SIDE_wide], SIDE_own[turn]); }
  }
}

/// The fragment at a line and a depth of the tile.
fn SIDE_fragment(stage: u32, line: u32, k: u32) -> SIDE_matrix {
  return subgroupMatrixLoad<SIDE_matrix, MAJOR>(&SIDE_tile, stage * SIDE_size + line * SIDE_stride + k / 4u, SIDE_stride);
}
