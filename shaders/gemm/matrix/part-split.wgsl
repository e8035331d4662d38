// A workgroup for each tile and part of the depth. Parts are whole rounds (stages of depth), the first ones at most one more:
//
//     rounds   | 0 1 2 | 3 4 5 | 6 7 |      SPLITS = 3

struct Part { tile: u32, first: u32, end: u32 }

fn part_of(group: u32) -> Part {
  let all = params.slices * params.row_tiles * params.column_tiles;
  let part = group / all;
  let each = params.rounds / SPLITS;
  let more = params.rounds % SPLITS;
  let first = part * each + min(part, more);
  return Part(group % all, first, first + each + select(0u, 1u, part < more));
}
