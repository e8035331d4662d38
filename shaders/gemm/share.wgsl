// Shares of a stream-K product: `shares` workgroups divide `tiles * steps` steps, the first of them with one more where they do not
// divide evenly. A share leaves at most two partial tiles, one that it goes on with and one that it begins:
//
//     partials [share][begins it][sum][lane], quads of f32

fn start_of(share: u32) -> u32 {
  let all = params.tiles * params.steps;
  return share * (all / params.shares) + min(share, all % params.shares);
}

/// Sum `s` of an invocation. Whether the share has the tile's first step says which of its two partial tiles this is.
fn partial_of(share: u32, begins: bool, s: u32, lane: u32) -> u32 {
  return ((share * 2u + select(0u, 1u, begins)) * SUMS + s) * LANES + lane;
}
