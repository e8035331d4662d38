// Weights in 2:4 against a row (walk-two-of-four.wgsl), bytes saved but no multiplications: the four bytes that two groups keep become two
// words with zeros between them, once for all rows.
struct Placed { low: vec4<u32>, high: vec4<u32> }

fn placed(kept: vec4<u32>, seats: vec4<u32>) -> Placed {
  return Placed(spread(kept, seats), spread(kept >> vec4<u32>(16u), seats >> vec4<u32>(4u)));
}

fn placed_dots(low: u32, high: u32, right: Placed) -> vec4<i32> {
  return dots(low, right.low) + dots(high, right.high);
}
