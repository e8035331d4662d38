// A stretch of values as its zeros: (zeros before the first value that is not 0, pairs, zeros after the last). Pairs are those from that
// first value to that last; without such a value there are none, and all zeros count as before it and as after it.
//
//     0 0 7 0 0 0 5 0      (2, 2, 1)
//     0 0 0 0              (4, 0, 4)
//
// Each 32 zeros in a row are a pair of their own (31 and a 0 as value), wherever stretches end.
alias part_t = vec3<u32>;

fn nothing() -> part_t { return vec3<u32>(); }

fn joined(a: part_t, b: part_t) -> part_t {
  let between = select((a.z + b.x) / 32u, 0u, a.y == 0u || b.y == 0u);
  return vec3<u32>(a.x + select(0u, b.x, a.y == 0u), a.y + between + b.y, b.z + select(0u, a.z, b.y == 0u));
}

/// The stretch of 32 values, of which a bit each says whether it is not 0. Of no bit both counts of zeros are 32.
fn stretch_of(mask: u32) -> part_t {
  return vec3<u32>(countTrailingZeros(mask), countOneBits(mask), countLeadingZeros(mask));
}

/// Pairs up to the last value of a stretch that begins the tensor that is not 0.
fn settled_pairs(part: part_t) -> u32 { return select(part.x / 32u + part.y, 0u, part.y == 0u); }
