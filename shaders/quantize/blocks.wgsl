// Which scale belongs to an element of a tensor [outer, extent, inner_size]: one for all, one for each index of the axis, or one for
// `block` consecutive indices of it. Steps are 0 where scales do not depend on the place.
fn scale_index(index: u32) -> u32 {
  let inner = index % params.inner_size;
  let rest = index / params.inner_size;
  let along = (rest % params.extent) / params.block;
  return (rest / params.extent) * params.outer_step + along * params.axis_step + inner * params.inner_step;
}
