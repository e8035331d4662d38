// The sums of one tile of a product, by way of workgroup memory. After tile.wgsl; what becomes of the sums is said by the file that
// follows: tiled_whole.wgsl, tiled_split.wgsl, tiled_stream.wgsl.
//
// A workgroup owns TILE_ROWS rows by TILE_COLUMNS columns and walks the depth in steps of TILE_DEPTH. In workgroup memory lie quads
// of rows and quads of columns, one of each for every k of the step; an invocation (x, y) multiplies ROWS rows by COLUMNS columns,
// in quads that lie LANES_Y (LANES_X) quads apart, so that neighbours read neighbouring words:
//
//                                 right_tile    x        x + LANES_X
//                                  k = 0 ..  [c c c c]    [c c c c]
//            left_tile             --------+-----------------------
//            y            [r r r r]        | acc[0..3]    acc[..]         ROWS = COLUMNS = 8: four vec4 are read
//            y + LANES_Y  [r r r r]        | acc[..]      acc[..]         for 64 multiply-adds
//
// While a step is multiplied the next one is on its way from memory into registers. With two BUFFERS it is put beside the step
// being read, and a step takes one barrier; with one it waits for a second barrier.
//
// Blocks of 4 lines by 4 k are loaded and put at once. Where a side lies along the depth (SPAN 2), pairs of invocations load 8
// contiguous values of a line, and the quads of every other block of k are put 4 places off (FLIP): eight invocations then store
// to all 32 banks.

const LEFT_QUADS = TILE_ROWS / 4u;
const RIGHT_QUADS = TILE_COLUMNS / 4u;
const LEFT_BLOCKS = LEFT_QUADS * TILE_DEPTH / 4u;
const BLOCKS = LEFT_BLOCKS + RIGHT_QUADS * TILE_DEPTH / 4u;

alias Block = mat4x4<value_t>;

var<workgroup> left_tile: array<vec4<value_t>, BUFFERS * TILE_DEPTH * LEFT_QUADS>;
var<workgroup> right_tile: array<vec4<value_t>, BUFFERS * TILE_DEPTH * RIGHT_QUADS>;

/// Which quad of lines and which quad of k block `i` of a side is.
fn place_of(i: u32, span: u32, quads: u32) -> vec2<u32> {
  return vec2<u32>((i / span) % quads, i % span + span * (i / (span * quads)));
}

fn fetched(tile: Tile, k0: u32, i: u32) -> Block {
  var block = Block();
  if (i < LEFT_BLOCKS) {
    let place = place_of(i, LEFT_SPAN, LEFT_QUADS);
    let k = k0 + 4u * place.y;
    let line = min(tile.row + 4u * place.x, (params.rows - 1u) / 4u * 4u);
    if (k < params.depth) { block = left_block(tile.slice, line, k); }
  } else if (i < BLOCKS) {
    let place = place_of(i - LEFT_BLOCKS, RIGHT_SPAN, RIGHT_QUADS);
    let k = k0 + 4u * place.y;
    let line = min(tile.column + 4u * place.x, (params.columns - 1u) / 4u * 4u);
    if (k < params.depth) { block = right_block(tile.slice, line, k); }
  }
  return block;
}

fn put(block: Block, buffer: u32, i: u32) {
  if (i < LEFT_BLOCKS) {
    let place = place_of(i, LEFT_SPAN, LEFT_QUADS);
    let at = (buffer * TILE_DEPTH + 4u * place.y) * LEFT_QUADS + (place.x ^ (LEFT_FLIP * (place.y % 2u)));
    left_tile[at] = block[0];
    left_tile[at + LEFT_QUADS] = block[1];
    left_tile[at + 2u * LEFT_QUADS] = block[2];
    left_tile[at + 3u * LEFT_QUADS] = block[3];
  } else if (i < BLOCKS) {
    let place = place_of(i - LEFT_BLOCKS, RIGHT_SPAN, RIGHT_QUADS);
    let at = (buffer * TILE_DEPTH + 4u * place.y) * RIGHT_QUADS + (place.x ^ (RIGHT_FLIP * (place.y % 2u)));
    right_tile[at] = block[0];
    right_tile[at + RIGHT_QUADS] = block[1];
    right_tile[at + 2u * RIGHT_QUADS] = block[2];
    right_tile[at + 3u * RIGHT_QUADS] = block[3];
  }
}

/// The sums of steps `first` to `end - 1` of the depth, of which there is at least one. Called by whole workgroups.
fn sums_of(tile: Tile, first: u32, end: u32, lane: u32) -> Sums {
  let x = lane_x(lane);
  let y = lane_y(lane);
  var acc: Sums;
  var next: array<Block, PASSES>;
  for (var p = 0u; p < PASSES; p++) { // unrolled
    next[p] = fetched(tile, first * TILE_DEPTH, lane + p * LANES);
    put(next[p], 0u, lane + p * LANES);
  }
  workgroupBarrier();

  var buffer = 0u;
  for (var step = first; step < end; step++) {
    let more = step + 1u < end;
    if (more) {
      for (var p = 0u; p < PASSES; p++) { // unrolled
        next[p] = fetched(tile, (step + 1u) * TILE_DEPTH, lane + p * LANES);
      }
    }
    for (var q = 0u; q < TILE_DEPTH / 4u; q++) {
      let left_at = (buffer * TILE_DEPTH + 4u * q) * LEFT_QUADS;
      let right_at = (buffer * TILE_DEPTH + 4u * q) * RIGHT_QUADS;
      let left_flip = LEFT_FLIP * (q % 2u);
      let right_flip = RIGHT_FLIP * (q % 2u);
      for (var k = 0u; k < 4u; k++) {
        var right: array<vec4<value_t>, ACROSS>;
        for (var v = 0u; v < ACROSS; v++) { // unrolled
          right[v] = right_tile[right_at + k * RIGHT_QUADS + ((x + v * LANES_X) ^ right_flip)];
        }
        for (var u = 0u; u < DOWN; u++) { // unrolled
          let l = left_tile[left_at + k * LEFT_QUADS + ((y + u * LANES_Y) ^ left_flip)];
          for (var v = 0u; v < ACROSS; v++) { // unrolled
            let at = 4u * u * ACROSS + v;
            acc[at] = fma(vec4<acc_t>(l.x), right[v], acc[at]);
            acc[at + ACROSS] = fma(vec4<acc_t>(l.y), right[v], acc[at + ACROSS]);
            acc[at + 2u * ACROSS] = fma(vec4<acc_t>(l.z), right[v], acc[at + 2u * ACROSS]);
            acc[at + 3u * ACROSS] = fma(vec4<acc_t>(l.w), right[v], acc[at + 3u * ACROSS]);
          }
        }
      }
    }
    if (BUFFERS == 1u) { workgroupBarrier(); } else { buffer = 1u - buffer; }
    if (more) {
      for (var p = 0u; p < PASSES; p++) { // unrolled
        put(next[p], buffer, lane + p * LANES);
      }
    }
    workgroupBarrier();
  }
  return acc;
}
