// f32 to f16, rounded to nearest, ties to even, as IEEE 754 has it: WGSL leaves the direction of rounding, and what lies beyond 65504,
// to the device. For devices whose own conversion does otherwise; from the value's bits, so that no compiler can reorder it.
//
//   |x| >= 65520             infinity (65520 lies half way between 65504 and 65536, and ties to the even one)
//   |x| >= 2^-14             the exponent is rebiased and 13 bits of the fraction rounded off; a carry runs into the exponent
//   below                    a multiple of 2^-24: the fraction with its leading one, shifted further by the exponent
//
fn half_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return sign | 0x7e00u; }
  if (size >= 0x477ff000u) { return sign | 0x7c00u; }
  if (size >= 0x38800000u) { return sign | ((size - 0x38000000u + 0xfffu + ((size >> 13u) & 1u)) >> 13u); }
  let exponent = size >> 23u;
  if (exponent < 102u) { return sign; }
  let fraction = (size & 0x7fffffu) | 0x800000u;
  let shift = 126u - exponent;
  let odd = (fraction >> shift) & 1u;
  return sign | ((fraction + (1u << (shift - 1u)) - 1u + odd) >> shift);
}

fn half_of(x: f32) -> f16 { return bitcast<vec2<f16>>(half_bits(x)).x; }
fn halves_of(x: vec4<f32>) -> vec4<f16> { return vec4<f16>(half_of(x.x), half_of(x.y), half_of(x.z), half_of(x.w)); }
