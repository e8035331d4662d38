// Conversions between dtypes that WGSL's own do not settle. Floats are truncated towards zero, saturate at the ends of the integer range,
// and NaN becomes 0; between integers, high bits are dropped. i64 lies as (low, high).

fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

fn float_to_i32(x: f32) -> i32 {
  if (is_nan(x)) { return 0; }
  if (x >= 2147483648.0) { return 2147483647; }
  if (x <= -2147483648.0) { return i32(0x80000000u); }
  return i32(x);
}

fn float_to_u32(x: f32) -> u32 {
  if (is_nan(x) || x <= 0.0) { return 0u; }
  if (x >= 4294967296.0) { return 0xffffffffu; }
  return u32(x);
}

/// -x in two's complement.
fn negate(x: vec2<u32>) -> vec2<u32> {
  let low = ~x.x + 1u;
  return vec2<u32>(low, ~x.y + select(0u, 1u, low == 0u));
}

fn float_to_i64(x: f32) -> vec2<u32> {
  if (is_nan(x)) { return vec2<u32>(0u, 0u); }
  if (x >= 9223372036854775808.0) { return vec2<u32>(0xffffffffu, 0x7fffffffu); }
  if (x <= -9223372036854775808.0) { return vec2<u32>(0u, 0x80000000u); }
  // The parts are exact: scaling by 2^32 and subtracting the leading bits lose nothing.
  let magnitude = trunc(abs(x));
  let high = floor(magnitude / 4294967296.0);
  let size = vec2<u32>(u32(magnitude - high * 4294967296.0), u32(high));
  if (x < 0.0) { return negate(size); }
  return size;
}

fn i64_to_float(x: vec2<u32>) -> f32 {
  let negative = (x.y >> 31u) == 1u;
  var size = x;
  if (negative) { size = negate(x); }
  // Shifted so that the leading bit is bit 63; what falls off the upper word only matters as "not exactly half" (sticky bit).
  if (size.y == 0u) {
    let small = f32(size.x);
    return select(small, -small, negative);
  }
  let shift = countLeadingZeros(size.y);
  var upper = size.y;
  var lower = size.x;
  if (shift > 0u) {
    upper = (size.y << shift) | (size.x >> (32u - shift));
    lower = size.x << shift;
  }
  if (lower != 0u) { upper |= 1u; }
  let value = f32(upper) * exp2_exact(32u - shift);
  return select(value, -value, negative);
}

/// 2^n for n from 0 to 32, built from its bits.
fn exp2_exact(n: u32) -> f32 { return bitcast<f32>((n + 127u) << 23u); }

fn i32_to_i64(x: i32) -> vec2<u32> { return vec2<u32>(bitcast<u32>(x), bitcast<u32>(x >> 31u)); }
fn u32_to_i64(x: u32) -> vec2<u32> { return vec2<u32>(x, 0u); }

fn float_to_bool(x: f32) -> u32 { return select(0u, 1u, (bitcast<u32>(x) & 0x7fffffffu) != 0u); }
fn word_to_bool(x: u32) -> u32 { return select(0u, 1u, x != 0u); }
