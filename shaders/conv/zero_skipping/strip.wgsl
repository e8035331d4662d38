// Strips of outputs along a row, as in ../strips/place.wgsl: a strip's outputs lie `spacing_x` apart, so that the windows of neighbours lie
// whole taps apart.
const SPAN = (STRIP - 1u) * STEP_X + KERNEL_X;

/// The first output of a strip.
fn start_of(strip: u32) -> u32 { return strip / params.spacing_x * (STRIP - 1u) * params.spacing_x + strip; }
