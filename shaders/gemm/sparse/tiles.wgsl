// A product of many rows with weights in 2:4 of which only kept values are multiplied, on devices whose lanes branch: lanes lie over
// rows, so that all of a subgroup meet the same weights, and where these sit decides a branch that all of them take.
//
//     workgroup     ROW_LANES lanes over the rows, COLUMN_LANES over the columns; a lane owns 4 * DOWN rows by COLUMNS columns
//     step          GROUPS groups of depth: A as [k][quad of rows], kept values as [group][quad of columns], in workgroup memory
//
//     x[0..3]       the four values of A of a group, for all rows of a lane     seats 0 2  ->  acc += x[0] * first + x[2] * second
//     a column      a switch of six cases, 2 multiply-adds of 4 * DOWN rows in each, where the dense product has 4
//
// Where the columns of a quad share their seats, one switch serves all four.

const ROW_QUADS = ROW_LANES * DOWN;
const COLUMN_QUADS = COLUMN_LANES * COLUMNS / 4u;
const WIDE = select(1u, 4u, SHARE > 1u);

var<workgroup> left: array<vec4<acc_t>, 4u * GROUPS * ROW_QUADS>;
var<workgroup> firsts: array<vec4<acc_t>, GROUPS * COLUMN_QUADS>;
var<workgroup> seconds: array<vec4<acc_t>, GROUPS * COLUMN_QUADS>;
/// Four nibbles.
var<workgroup> seats: array<u32, GROUPS * COLUMN_QUADS>;

/// Four rows of a lane's sums in a column, DOWN times; so many columns as have their seats in common.
alias Column = array<vec4<acc_t>, DOWN>;
alias Columns = array<Column, WIDE>;
alias Group = array<Column, 4>;

/// The sums of columns with the products of seats `one` and `other` of a group.
fn with_seats(acc: Columns, one: Column, other: Column, first: vec4<acc_t>, second: vec4<acc_t>) -> Columns {
  var result = acc;
  for (var c = 0u; c < WIDE; c++) {
    for (var d = 0u; d < DOWN; d++) {
      result[c][d] = fma(other[d], vec4<acc_t>(second[c]), fma(one[d], vec4<acc_t>(first[c]), acc[c][d]));
    }
  }
  return result;
}

/// The multiply-adds stand in the cases: values chosen first would be moved, which costs what is saved.
fn added(acc: Columns, x: Group, nibble: u32, first: vec4<acc_t>, second: vec4<acc_t>) -> Columns {
  switch (nibble) {
    case 4u: { return with_seats(acc, x[0], x[1], first, second); }
    case 8u: { return with_seats(acc, x[0], x[2], first, second); }
    case 12u: { return with_seats(acc, x[0], x[3], first, second); }
    case 9u: { return with_seats(acc, x[1], x[2], first, second); }
    case 13u: { return with_seats(acc, x[1], x[3], first, second); }
    default: { return with_seats(acc, x[2], x[3], first, second); }
  }
}

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let tiles = group / params.row_tiles;
  let slice = slice_of(tiles / params.column_tiles);
  let row0 = group % params.row_tiles * (4u * ROW_QUADS);
  let column0 = tiles % params.column_tiles * (4u * COLUMN_QUADS);
  let own_row = lane % ROW_LANES;
  let own_quad = lane / ROW_LANES * (COLUMNS / 4u);
  let last_row = (params.rows - 1u) / 4u * 4u;
  let last_column = (params.columns - 1u) / 4u * 4u;

  var acc: array<Column, COLUMNS>;
  for (var k0 = 0u; k0 < params.depth; k0 += 4u * GROUPS) {
    for (var i = lane; i < GROUPS * ROW_QUADS; i += LANES) {
      let g = i / ROW_QUADS;
      let block = left_block(slice, min(row0 + 4u * (i % ROW_QUADS), last_row), min(k0 + 4u * g, (params.depth - 1u) / 4u * 4u));
      for (var j = 0u; j < 4u; j++) { left[(4u * g + j) * ROW_QUADS + i % ROW_QUADS] = vec4<acc_t>(block[j]); }
    }
    for (var i = lane; i < GROUPS * COLUMN_QUADS; i += LANES) {
      let at = k0 / 4u + i / COLUMN_QUADS;
      let line = min(column0 + 4u * (i % COLUMN_QUADS), last_column);
      let inside = min(at, (params.depth - 1u) / 4u);
      let pair = right_scaled(slice, line, inside);
      let word = right_words(slice, line, inside / 8u) >> vec4<u32>(4u * (inside % 8u));
      // A group past the end weighs nothing.
      let there = vec4<bool>(at == inside);
      firsts[i] = select(vec4<acc_t>(), vec4<acc_t>(pair.first), there);
      seconds[i] = select(vec4<acc_t>(), vec4<acc_t>(pair.second), there);
      let nibbles = (word & vec4<u32>(15u)) << vec4<u32>(0u, 4u, 8u, 12u);
      seats[i] = nibbles.x | nibbles.y | nibbles.z | nibbles.w;
    }
    workgroupBarrier();
    for (var g = 0u; g < GROUPS; g++) {
      var x: Group;
      for (var i = 0u; i < 4u; i++) {
        for (var d = 0u; d < DOWN; d++) { x[i][d] = left[(4u * g + i) * ROW_QUADS + d * ROW_LANES + own_row]; }
      }
      for (var q = 0u; q < COLUMNS / 4u; q++) {
        let at = g * COLUMN_QUADS + own_quad + q;
        let first = firsts[at];
        let second = seconds[at];
        let nibbles = seats[at];
        for (var c = 0u; c < 4u; c += WIDE) {
          var own: Columns;
          for (var w = 0u; w < WIDE; w++) { own[w] = acc[4u * q + c + w]; }
          if (WIDE == 1u) {
            own = added(own, x, (nibbles >> (4u * c)) & 15u, vec4<acc_t>(first[c]), vec4<acc_t>(second[c]));
          } else {
            own = added(own, x, nibbles & 15u, first, second);
          }
          for (var w = 0u; w < WIDE; w++) { acc[4u * q + c + w] = own[w]; }
        }
      }
    }
    workgroupBarrier();
  }

  for (var q = 0u; q < COLUMNS / 4u; q++) {
    let column = column0 + 4u * (own_quad + q);
    for (var d = 0u; d < DOWN; d++) {
      let quads = transpose(mat4x4<acc_t>(acc[4u * q][d], acc[4u * q + 1u][d], acc[4u * q + 2u][d], acc[4u * q + 3u][d]));
      // The bound is a param, so that no compiler unrolls the loop: an epilogue for each of its steps takes long to compile.
      for (var i = 0u; i < params.quad; i++) {
        let row = row0 + 4u * (d * ROW_LANES + own_row) + i;
        if (row < params.rows && column < params.columns) { finish_quad(slice, row, column, vec4<f32>(quads[i])); }
      }
    }
  }
}
