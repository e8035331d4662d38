// Third: a lane writes the pairs of its 32 values where those of all values before them end. Zeros are counted through from the lane before;
// of a long run each lane has one pair of 32 zeros at most, so that no lane waits for another. After stretch.wgsl, scan.wgsl, value_DTYPE.wgsl.

@compute @workgroup_size(WORKGROUP_X, 1, 1)
fn main(
  @builtin(workgroup_id) wid: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  let place = group * LANES + lane;
  let mask = select(0u, load_masks(min(place, params.masks - 1u)), place < params.masks);
  let part = stretch_of(mask);
  let block = vec3<u32>(load_blocks(3u * group), load_blocks(3u * group + 1u), load_blocks(3u * group + 2u));
  let left = joined(block, before(lane, part));
  if (place >= params.masks) { return; }

  let first = 32u * place;
  let length = min(params.count - first, 32u);
  var at = settled_pairs(left) + left.z / 32u;
  var zeros = left.z % 32u;
  var next = 0u;
  for (var rest = mask; rest != 0u; rest &= rest - 1u) {
    let here = countTrailingZeros(rest);
    zeros += here - next;
    if (zeros >= 32u) {
      store_pairs(at, 31u << 16u);
      at++;
      zeros -= 32u;
    }
    store_pairs(at, (zeros << 16u) | value_at(first + here));
    at++;
    zeros = 0u;
    next = here + 1u;
  }
  zeros += length - next;
  if (zeros >= 32u) {
    store_pairs(at, 31u << 16u);
    at++;
    zeros -= 32u;
  }
  // The last run has a zero as its value.
  if (place == params.masks - 1u && zeros > 0u) { store_pairs(at, (zeros - 1u) << 16u); }
}
