// What all lanes before a lane come to, joined in order: exclusive prefixes over a workgroup. After `alias part_t`, `nothing() -> part_t`
// and `joined(part_t, part_t) -> part_t`, which is associative.
//
//     lane     0    1    2    3
//     own      a    b    c    d
//     before   -    a    ab   abc

var<workgroup> scanned: array<part_t, LANES>;

/// Called by all lanes of a workgroup, once a kernel.
fn before(lane: u32, own: part_t) -> part_t {
  scanned[lane] = own;
  for (var reach = 1u; reach < LANES; reach *= 2u) {
    workgroupBarrier();
    let left = scanned[max(lane, reach) - reach];
    workgroupBarrier();
    if (lane >= reach) { scanned[lane] = joined(left, scanned[lane]); }
  }
  workgroupBarrier();
  if (lane == 0u) { return nothing(); }
  return scanned[lane - 1u];
}
