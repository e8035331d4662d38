// Lengths are joined by adding them.
alias part_t = u32;

fn nothing() -> part_t { return 0u; }

fn joined(a: part_t, b: part_t) -> part_t { return a + b; }
