// A row of X times a matrix in EIE's form (src/sparsity/eie.ts). A lane is a processing element: it owns the rows i with i mod P = element,
// and walks its own entries of each column, adding up the zeros before them to know where it is. All lanes go through the columns
// together, as activations are broadcast in EIE, and leave out those whose activation is 0:
//
//     lane (element)    0        1        2                 column c, activation x
//     entries           2 v      0 v      15 0 (padding)
//                       4 v               3 v
//     sums, row 0      [ .        +        .  ]             [WINDOW][LANES] in workgroup memory: a lane has a column of it to itself,
//           row 1      [ .        .        .  ]             so nothing is added atomically and there are no barriers
//           row 2      [ +        .        .  ]
//
// A column takes as long as its longest lane: EIE's queues, which even that out, have no counterpart here.

var<workgroup> sums: array<f32, WINDOW * LANES>;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let element = group % params.element_tiles * LANES + lane;
  let tiles = group / params.element_tiles;
  let part = tiles % params.parts;
  let window = tiles / params.parts % params.windows * WINDOW;
  let x_row = tiles / params.parts / params.windows;

  for (var i = 0u; i < WINDOW; i++) { sums[i * LANES + lane] = 0.0; }
  // Lanes past the last element walk the last one's entries, and store nothing.
  let pointers = min(element, params.elements - 1u) * (params.depth + 1u);
  let last = min(params.depth, (part + 1u) * params.part_depth);
  for (var column = part * params.part_depth; column < last; column++) {
    let x = load_x(x_row * params.depth + column);
    if (x == 0.0) { continue; }
    let end = load_pointers(pointers + column + 1u);
    // The next row that an entry may be of, less the window's first: wraps around below it, and is past it then.
    var row = 0u - window;
    for (var entry = load_pointers(pointers + column); entry < end; entry++) {
      row += zeros_before(entry);
      let value = value_at(entry);
      // Padding is no weight, were the activation infinite.
      if (row < WINDOW) { sums[row * LANES + lane] += select(value * x, 0.0, value == 0.0); }
      row++;
    }
  }

  for (var i = 0u; i < WINDOW; i++) {
    let line = (window + i) * params.elements + element;
    if (element < params.elements && line < params.columns) { deliver(part, x_row, line, sums[i * LANES + lane]); }
  }
}
