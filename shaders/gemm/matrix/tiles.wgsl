// What both forms of a product by matrix units share: which tile a workgroup owns, and how its sums leave the units.
//
// A workgroup owns SUBGROUP_ROWS x SUBGROUP_COLUMNS subgroups, a subgroup ROWS x COLUMNS fragments of UNIT_M x UNIT_N sums:
//
//        +--------+--------+
//        | sg 0   | sg 1   |        sg 0:  [f0][f1]      f0, f1, ... are a subgroup's matrices, in registers of all its lanes at once
//        +--------+--------+               [f2][f3]
//        | sg 2   | sg 3   |
//        +--------+--------+

const FRAGMENT = UNIT_M * UNIT_N / 4u;
const SUBGROUPS = SUBGROUP_ROWS * SUBGROUP_COLUMNS;
const OWN_ROWS = ROWS * UNIT_M;
const OWN_COLUMNS = COLUMNS * UNIT_N;
const TILE_ROWS = SUBGROUP_ROWS * OWN_ROWS;
const TILE_COLUMNS = SUBGROUP_COLUMNS * OWN_COLUMNS;

// One fragment of each subgroup on its way to memory.
var<workgroup> sums: array<vec4<acc_t>, SUBGROUPS * FRAGMENT>;

struct Tile { slice: u32, row: u32, column: u32 }

/// Tiles are numbered down bands of BAND rows of tiles, so that workgroups that run together share lines of both sides in the caches:
///
///     0 2 4
///     1 3 5      BAND = 2
///     -----
///     6 7 8      the last band has what rows are left
fn tile_of(number: u32) -> Tile {
  let all = params.row_tiles * params.column_tiles;
  let index = number % all;
  let first = index / (BAND * params.column_tiles) * BAND;
  let rows = min(BAND, params.row_tiles - first);
  let inside = index - first * params.column_tiles;
  return Tile(number / all, (first + inside % rows) * TILE_ROWS, inside / rows * TILE_COLUMNS);
}

/// Stores fragment `n` of every subgroup, from `sums`: lanes share the quads of all.
fn finish_fragments(group: u32, slice: Slice, row0: u32, column0: u32, n: u32, lane: u32) {
  for (var i = lane; i < SUBGROUPS * FRAGMENT; i += LANES) {
    let subgroup = i / FRAGMENT;
    let quad = i % FRAGMENT;
    let row = row0 + (subgroup / SUBGROUP_COLUMNS) * OWN_ROWS + (n / COLUMNS) * UNIT_M + quad / (UNIT_N / 4u);
    let column = column0 + (subgroup % SUBGROUP_COLUMNS) * OWN_COLUMNS + (n % COLUMNS) * UNIT_N + 4u * (quad % (UNIT_N / 4u));
    if (row < params.rows && column < params.columns) { deliver(group, slice, row, column, sums[i]); }
  }
}
