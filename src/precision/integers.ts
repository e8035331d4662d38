/**
 * The integers that floats are quantised to, and the one rounding that does it. Think of a quantised value as
 *   real ≈ scale · (q − zero point),   q = saturate(roundHalfEven(real / scale) + zero point)
 * which is ONNX's affine quantisation (QuantizeLinear).
 */

export type ByteType = 'i8' | 'u8'

/** Least and largest value of each byte type. */
export const BYTE_RANGE: Readonly<Record<ByteType, readonly [least: number, most: number]>> = { i8: [-128, 127], u8: [0, 255] }

/** To the nearest integer, halves to the even one (IEEE 754 roundTiesToEven). NaN and infinities stay. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  if (rest < 0.5) return below
  if (rest > 0.5) return below + 1
  return Number.isFinite(value) ? below + (Math.abs(below) % 2) : value
}

/** `value` held to a range; NaN becomes `nan`. */
export function saturate(value: number, [least, most]: readonly [number, number], nan = 0): number {
  return Number.isNaN(value) ? nan : Math.min(Math.max(value, least), most)
}

/** saturate(roundHalfEven(quotient) + zero point): the quantised value of real / scale. A NaN gives the zero point. */
export function quantized(quotient: number, zeroPoint: number, type: ByteType): number {
  return saturate(roundHalfEven(quotient) + zeroPoint, BYTE_RANGE[type], zeroPoint)
}
