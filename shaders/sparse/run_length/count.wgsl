// Second: what lies before each block (../join_blocks.wgsl), and how many words and pairs there are. The last lane's stretch counted zeros
// past the tensor's end.
fn load_block(b: u32) -> part_t { return vec3<u32>(load_blocks(3u * b), load_blocks(3u * b + 1u), load_blocks(3u * b + 2u)); }

fn store_block(b: u32, part: part_t) {
  store_blocks(3u * b, part.x);
  store_blocks(3u * b + 1u, part.y);
  store_blocks(3u * b + 2u, part.z);
}

fn finish(all: part_t) {
  let pairs = settled_pairs(all) + (all.z - params.past_end + 31u) / 32u;
  store_counts(0u, (pairs + 2u) / 3u);
  store_counts(1u, pairs);
}
