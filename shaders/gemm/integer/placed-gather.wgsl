// Weights in 2:4 against a row (walk-two-of-four.wgsl), only kept values multiplied: the row's bytes in a column's seats are gathered from
// two words into one, and one dot product has two groups.
//
//     row       low [ x0 x1 x2 x3 ]  high [ x4 x5 x6 x7 ]        seats 0 3 | 1 2
//     gathered      [ x0 x3 x5 x6 ]  .  kept [ a b c d ]
struct Placed { kept: vec4<u32>, first: vec4<u32>, second: vec4<u32>, third: vec4<u32>, fourth: vec4<u32> }

/// By how many bits each seat's byte lies from the lowest.
fn placed(kept: vec4<u32>, seats: vec4<u32>) -> Placed {
  let most = vec4<u32>(24u);
  return Placed(
    kept,
    (seats << vec4<u32>(3u)) & most,
    (seats << vec4<u32>(1u)) & most,
    (seats >> vec4<u32>(1u)) & most,
    (seats >> vec4<u32>(3u)) & most,
  );
}

fn placed_dots(low: u32, high: u32, right: Placed) -> vec4<i32> {
  let byte = vec4<u32>(0xffu);
  let x = ((vec4<u32>(low) >> right.first) & byte)
    | (((vec4<u32>(low) >> right.second) & byte) << vec4<u32>(8u))
    | (((vec4<u32>(high) >> right.third) & byte) << vec4<u32>(16u))
    | ((vec4<u32>(high) >> right.fourth) << vec4<u32>(24u));
  return vec4<i32>(
    dot_bytes(x.x, right.kept.x),
    dot_bytes(x.y, right.kept.y),
    dot_bytes(x.z, right.kept.z),
    dot_bytes(x.w, right.kept.w),
  );
}
