// The right side of a product of bytes, where it lies along its columns: staged for matrix units as columns along the depth, four bytes
// to a word, because the units want bytes so. A lane brings blocks of 4 x 4 bytes, which load_right (../integer/right-rows.wgsl) turns.
//
//      depth   k0 .. k0+3   k0+4 ..   ...   | PAD
//   column 0 [ word 0     | word 1  | ...   |    ]      a part is the words at one depth of four columns
//   column 1 [ word w     | ...             |    ]
//
// Eight lanes side by side bring the same depth, the next eight the next, so that whole sectors of memory are read, and words fall into
// as many banks of workgroup memory as lines of 16 bytes allow.

alias right_t = vec4<u32>;

const right_wide = TILE_DEPTH / 4u;
const right_stride = right_wide + PAD;
const right_across = min(8u, TILE_COLUMNS / 4u);
const right_parts = TILE_COLUMNS / 4u * right_wide;
const right_size = TILE_COLUMNS * right_stride;

var<workgroup> right_tile: array<u32, STAGES * right_size>;
var<private> right_own: array<vec4<i32>, RIGHT_SHARE>;

/// The first column of a part, and its word of depth.
fn right_place(index: u32) -> vec2<u32> {
  let rest = index / right_across;
  return vec2<u32>(4u * (rest / right_wide * right_across + index % right_across), rest % right_wide);
}

/// What a lane brings of the tile whose first column is `line` and whose depth begins at `k0`: its `turn`-th part.
fn right_fetch(slice: Slice, line: u32, k0: u32, lane: u32, turn: u32) -> vec4<u32> {
  let place = right_place(lane + turn * LANES);
  let k = k0 + 4u * place.y;
  if (k >= params.depth) { return vec4<u32>(); }
  return load_right(slice, k, min(line + place.x, (params.columns - 1u) / 4u * 4u));
}

fn right_put(stage: u32, lane: u32, turn: u32, words: vec4<u32>) {
  let place = right_place(lane + turn * LANES);
  let at = stage * right_size + place.x * right_stride + place.y;
  for (var j = 0u; j < 4u; j++) { right_tile[at + j * right_stride] = words[j]; }
  if (RIGHT_SUMMED) { right_own[turn] += dots(ONES, words); }
}

fn right_settle(lane: u32) {
  for (var turn = 0u; turn < RIGHT_SHARE; turn++) {
    let index = lane + turn * LANES;
    if (index >= right_parts) { break; }
    for (var j = 0u; j < 4u; j++) { atomicAdd(&column_sums[right_place(index).x + j], right_own[turn][j]); }
  }
}

/// The fragment at a column and a depth of the tile.
fn right_fragment(stage: u32, line: u32, k: u32) -> right_matrix {
  return subgroupMatrixLoad<right_matrix, col_major>(&right_tile, stage * right_size + line * right_stride + k / 4u, right_stride);
}
