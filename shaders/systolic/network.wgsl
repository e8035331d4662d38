// The wires between neighbours: each lane leaves a word for the lane to its right and one for the lane below. Two halves take
// turns, so that one barrier a step suffices: a step reads the half that the step before wrote, and writes the other.

var<workgroup> rightward: array<f32, 2u * LANES>;
var<workgroup> downward: array<f32, 2u * LANES>;

fn from_left(half: u32, lane: u32) -> f32 { return rightward[half * LANES + lane - 1u]; }
fn from_above(half: u32, lane: u32) -> f32 { return downward[half * LANES + lane - COLUMNS]; }
fn hand_right(half: u32, lane: u32, word: f32) { rightward[(1u - half) * LANES + lane] = word; }
fn hand_down(half: u32, lane: u32, word: f32) { downward[(1u - half) * LANES + lane] = word; }
