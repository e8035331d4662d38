// One side of a tile on its way through workgroup memory, a quad at a time; SIDE is `left` (rows of A) or `right` (columns of B). How
// quads lie in memory is how they lie in the tensor, so that nothing is turned before it reaches registers:
//
//     SIDE_deep    [line][quad of k], after every fourth line one quad is left free    quads are four k of a line
//     else         [k][quad of lines]                                                  quads are four lines at one k
//
// The free quads let eight neighbours, four lines apart, read from all banks at once.
//
// Quads are fetched without a branch: lines and k beyond the end are read as the last, and become 0 when they are put away. A branch
// would make a compiler wait for its loads where it ends, ahead of the arithmetic that is to hide them.

const SIDE_quads = SIDE_count / 4u;
/// Whether the invocations' last turn is for fewer quads than there are invocations: those left over fetch the last quad.
const SIDE_ragged = SIDE_quads * TILE_DEPTH % LANES != 0u;
/// Of one buffer, in quads.
const SIDE_size = select(SIDE_quads * TILE_DEPTH, SIDE_quads * (TILE_DEPTH + 1u), SIDE_deep);

var<workgroup> SIDE_memory: array<vec4<acc_t>, BUFFERS * SIDE_size>;

/// Quad `turn` of the step that begins at k0. The depth is not 0.
fn SIDE_fetched(slice: Slice, line0: u32, k0: u32, turn: u32) -> vec4<value_t> {
  let last = params.depth - 1u;
  var i = turn;
  if (SIDE_ragged) { i = min(turn, SIDE_quads * TILE_DEPTH - 1u); }
  if (SIDE_deep) {
    let line = min(line0 + i / DEEP, params.SIDE_lines - 1u);
    let k = k0 + 4u * (i % DEEP);
    if (!SIDE_single) { return SIDE_along(slice, line, min(k, last / 4u * 4u)); }
    return vec4<value_t>(
      SIDE_one(slice, line, min(k, last)),
      SIDE_one(slice, line, min(k + 1u, last)),
      SIDE_one(slice, line, min(k + 2u, last)),
      SIDE_one(slice, line, min(k + 3u, last)),
    );
  }
  let line = min(line0 + 4u * (i % SIDE_quads), (params.SIDE_lines - 1u) / 4u * 4u);
  return SIDE_across(slice, line, min(k0 + i / SIDE_quads, last));
}

fn SIDE_put(fetched: vec4<value_t>, k0: u32, buffer: u32, i: u32) {
  if (SIDE_ragged && i >= SIDE_quads * TILE_DEPTH) { return; }
  var quad = vec4<acc_t>(fetched);
  if (SIDE_deep) {
    let k = k0 + 4u * (i % DEEP);
    if (!WHOLE_STEPS) { quad = select(vec4<acc_t>(), quad, vec4<u32>(k) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(params.depth)); }
    SIDE_memory[buffer * SIDE_size + i + i / TILE_DEPTH] = quad;
  } else {
    if (!WHOLE_STEPS) { quad = select(vec4<acc_t>(), quad, k0 + i / SIDE_quads < params.depth); }
    SIDE_memory[buffer * SIDE_size + i] = quad;
  }
}

/// Of a quad of lines, four k: [i] are the lines' values at k = 4q + i.
fn SIDE_taken(buffer: u32, quad: u32, q: u32) -> mat4x4<acc_t> {
  if (SIDE_deep) {
    let at = buffer * SIDE_size + quad * (TILE_DEPTH + 1u) + q;
    return transpose(mat4x4<acc_t>(
      SIDE_memory[at],
      SIDE_memory[at + DEEP],
      SIDE_memory[at + 2u * DEEP],
      SIDE_memory[at + 3u * DEEP],
    ));
  }
  let at = buffer * SIDE_size + 4u * q * SIDE_quads + quad;
  return mat4x4<acc_t>(
    SIDE_memory[at],
    SIDE_memory[at + SIDE_quads],
    SIDE_memory[at + 2u * SIDE_quads],
    SIDE_memory[at + 3u * SIDE_quads],
  );
}
