// One workgroup: the part of each block becomes what all blocks before it come to; `finish` is handed what all come to. A lane owns as many
// blocks in a row as any. After scan.wgsl, `load_block`, `store_block` and `finish`.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  if (workgroup_index(wid, grid) >= params.groups) { return; }
  let share = (params.blocks + LANES - 1u) / LANES;
  let first = min(lane * share, params.blocks);
  let end = min(first + share, params.blocks);
  var own = nothing();
  for (var b = first; b < end; b++) { own = joined(own, load_block(b)); }
  var sum = before(lane, own);
  for (var b = first; b < end; b++) {
    let part = load_block(b);
    store_block(b, sum);
    sum = joined(sum, part);
  }
  if (lane == LANES - 1u) { finish(sum); }
}
