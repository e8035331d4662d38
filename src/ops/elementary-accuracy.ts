/**
 * How accurate WGSL's functions are, as relative errors for the bounds of references: WebGPU Shading Language, "Floating point
 * accuracy" (https://www.w3.org/TR/WGSL/#floating-point-accuracy). One ULP of a value is at most 2⁻²³ of it.
 */
const ULP = 2 ** -23

/** x / y: 2.5 ULP. */
export const DIVISION = 2.5 * ULP

/** sqrt(x), inherited from 1 / inverseSqrt(x): 2 ULP of inverseSqrt and the division. */
export const SQUARE_ROOT = 2 * ULP + DIVISION

/** exp(x) and exp2(x): 3 + 2·|x| ULP. */
export function exponential(x: number): number {
  return (3 + 2 * Math.abs(x)) * ULP
}

/**
 * pow(x, y), inherited from exp2(y · log2(x)): log2 is off by 2⁻²¹ for x in 0.5 … 2 and by 3 ULP elsewhere, which exp2 turns into
 * a relative error ln 2 times as large.
 */
export function power(x: number, y: number): number {
  const logarithm = Math.log2(x)
  const exponent = y * logarithm
  const off = Math.abs(y) * (x >= 0.5 && x <= 2 ? 2 ** -21 : 3 * ULP * Math.abs(logarithm)) + (ULP / 2) * Math.abs(exponent)
  return Math.LN2 * off + exponential(exponent)
}

/** The error of a product of factors with relative errors that sum to `sum`: sum / (1 − sum), no longer a matter of first order. */
export function compounded(sum: number): number {
  return sum < 1 ? sum / (1 - sum) : Infinity
}
