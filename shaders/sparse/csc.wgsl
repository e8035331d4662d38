// X times a matrix in CSC, column by column, after EIE: a column whose activations are zero is neither read nor multiplied. The rows of
// the matrix are dealt out over processing elements (src/sparsity/csc.ts), and a workgroup is one of them, for a part of the depth:
//
//     column   c            c + 1        c + 2           activations of ROWS rows of X, the same for all lanes
//              x = 0        x            x
//              skipped      | entries |  | entries |     lanes side by side over the entries of a column
//                             v  v  v      v  v
//     sums    [ .  +  .  +  .  .  + ]                    of the element's rows, in workgroup memory
//
// Within a column each row occurs once, so no two lanes meet in a sum; between columns there is a barrier. So nothing is added atomically,
// and every sum is made in the same order each time. Where an element has more rows than WINDOW, workgroups read its entries once for
// each window and keep those inside.

var<workgroup> sums: array<f32, ROWS * WINDOW>;

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let element = group % params.elements;
  let tiles = group / params.elements;
  let part = tiles % params.parts;
  let window = tiles / params.parts % params.windows * WINDOW;
  let row0 = tiles / params.parts / params.windows * ROWS;

  for (var i = lane; i < ROWS * WINDOW; i += LANES) { sums[i] = 0.0; }
  workgroupBarrier();
  let pointers = element * (params.depth + 1u);
  let last = min(params.depth, (part + 1u) * params.part_depth);
  for (var column = part * params.part_depth; column < last; column++) {
    var x: array<f32, ROWS>;
    var any = false;
    for (var r = 0u; r < ROWS; r++) {
      x[r] = load_x(min(row0 + r, params.rows - 1u) * params.depth + column);
      // NaN is no zero.
      any |= !(x[r] == 0.0);
    }
    if (!any) { continue; }
    let end = load_pointers(pointers + column + 1u);
    for (var entry = load_pointers(pointers + column) + lane; entry < end; entry += LANES) {
      // Below the window this wraps around, and is past it.
      let row = index_at(entry) - window;
      if (row < WINDOW) {
        let value = load_values(entry);
        // An activation of 0 adds nothing, were the weight infinite.
        for (var r = 0u; r < ROWS; r++) { sums[r * WINDOW + row] += select(value * x[r], 0.0, x[r] == 0.0); }
      }
    }
    workgroupBarrier();
  }

  for (var i = lane; i < WINDOW; i += LANES) {
    let line = (window + i) * params.elements + element;
    if (line >= params.columns) { break; }
    for (var r = 0u; r < min(params.tile_rows, params.rows - row0); r++) { deliver(part, row0 + r, line, sums[r * WINDOW + i]); }
  }
}
