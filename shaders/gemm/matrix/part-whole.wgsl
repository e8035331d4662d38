// A workgroup for each tile walks all of the depth. first and end are rounds: stages of depth.

struct Part { tile: u32, first: u32, end: u32 }

fn part_of(group: u32) -> Part { return Part(group, 0u, params.rounds); }
