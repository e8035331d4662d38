// Which outputs an invocation owns: from `line`, picture n, and place z, y, x on, TALL rows `spacing_y` apart of STRIP outputs `spacing_x`
// apart. After ../../gemm/read/divided.wgsl. Invocations past the last do what the last does, and store nothing: with a return, software
// adapters mask all that follows.
//
//      spacing 3, STRIP 2       place   0 1 2 3 4 5 | 6 7 8 9 ..
//                               strip   0 1 2 0 1 2 | 3 4 5 3 ..

struct Place { line: u32, n: u32, z: u32, y: u32, x: u32, valid: bool }

fn quotient(x: u32, d: u32, inverse: f32) -> u32 {
  if (LARGE) { return x / d; }
  return divided(x, d, inverse);
}

/// First output of strip `index` of an axis.
fn start_of(index: u32, length: u32, spacing: u32, inverse: f32) -> u32 {
  return quotient(index, spacing, inverse) * (length - 1u) * spacing + index;
}

fn place_of(group: u32, lane: u32) -> Place {
  let last = params.invocations - 1u;
  let index = min(group * LANES + lane, last);
  let valid = group * LANES + lane <= last;
  // Lines are innermost where they lie so, strips of a row elsewhere.
  var rest = index;
  var line = 0u;
  if (LINES_INNERMOST) {
    rest = quotient(index, params.lines, params.lines_inverse);
    line = index - rest * params.lines;
  }
  let row = quotient(rest, params.strips_x, params.strips_x_inverse);
  let x = rest - row * params.strips_x;
  let plane = quotient(row, params.strips_y, params.strips_y_inverse);
  let y = row - plane * params.strips_y;
  let volume = quotient(plane, params.out_z, params.out_z_inverse);
  let z = plane - volume * params.out_z;
  var n = volume;
  if (!LINES_INNERMOST) {
    n = quotient(volume, params.lines, params.lines_inverse);
    line = volume - n * params.lines;
  }
  return Place(
    line,
    n,
    z,
    start_of(y, TALL, params.spacing_y, params.spacing_y_inverse),
    start_of(x, STRIP, params.spacing_x, params.spacing_x_inverse),
    valid,
  );
}
