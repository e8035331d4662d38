// Second: where each block's values begin (../join_blocks.wgsl).
fn load_block(b: u32) -> part_t { return load_blocks(b); }

fn store_block(b: u32, part: part_t) { store_blocks(b, part); }

fn finish(all: part_t) {}
