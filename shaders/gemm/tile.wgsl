// Which part of Y a workgroup and its invocations own: tiles of TILE_ROWS by TILE_COLUMNS, of which an invocation (x, y) has ROWS rows
// by COLUMNS columns, in quads that lie LANES_Y (LANES_X) quads apart:
//
//                x = 0   1  ...      x = 0   1  ...        (COLUMNS = 8)
//     y = 0    [ . . . . |       | . . . . |       ]
//     y = 1    [         |       |         |       ]
//
// It has DOWN quads of rows and ACROSS quads of columns, SUMS = ROWS * ACROSS vec4s in all. Loops over them are written out before
// they are compiled (`// unrolled`): sums stay in registers only where no index of theirs is left to be computed.
//
// Invocations lie in blocks of 8 by 4: those that a GPU runs in lockstep read few different words at a time.

const LANES_X = TILE_COLUMNS / COLUMNS;
const LANES_Y = TILE_ROWS / ROWS;
const BLOCK_X = min(8u, LANES_X);
const BLOCK_Y = min(4u, LANES_Y);

fn lane_x(lane: u32) -> u32 {
  return lane % BLOCK_X + BLOCK_X * (lane / (BLOCK_X * BLOCK_Y) % (LANES_X / BLOCK_X));
}

fn lane_y(lane: u32) -> u32 {
  return lane / BLOCK_X % BLOCK_Y + BLOCK_Y * (lane / (BLOCK_Y * LANES_X));
}

/// The sums of an invocation: [i * ACROSS + v] is quad v of its row i.
alias Sums = array<vec4<acc_t>, SUMS>;

/// A tile's first row and column.
struct Tile { slice: Slice, row: u32, column: u32 }

/// Tiles run down bands of SWIZZLE rows of tiles: those at work at the same time share rows and columns in the cache.
fn tile_of(index: u32) -> Tile {
  let tiles = params.row_tiles * params.column_tiles;
  let own = index % tiles;
  let band = own / (SWIZZLE * params.column_tiles);
  let inside = own % (SWIZZLE * params.column_tiles);
  let height = min(SWIZZLE, params.row_tiles - band * SWIZZLE);
  let row = band * SWIZZLE + inside % height;
  return Tile(slice_of(index / tiles), row * TILE_ROWS, (inside / height) * TILE_COLUMNS);
}

/// Row `i` (0 .. ROWS - 1) of an invocation within the tile.
fn row_in_tile(lane: u32, i: u32) -> u32 {
  return 4u * (lane_y(lane) + i / 4u * LANES_Y) + i % 4u;
}

/// The first of the four columns of an invocation's quad `v` within the tile.
fn column_in_tile(lane: u32, v: u32) -> u32 {
  return 4u * (lane_x(lane) + v * LANES_X);
}
