/**
 * How far WGSL lets elementwise results lie, in units in the last place of f32 (2^-23 relative): additions and products are rounded
 * either way (1), a quotient is within 2.5, e^x within 3 + 2|x|. See https://www.w3.org/TR/WGSL/#concrete-float-accuracy.
 * The rounding to f16 storage, and subnormal numbers that a device flushes, are allowed for by `compare`.
 */
import type { Tolerance } from '../op.ts'

export const ULP = 2 ** -23

export const EXACT: Tolerance = { kind: 'exact' }

/** Within `count` units in the last place. */
export function ulps(count: number): Tolerance {
  return { kind: 'relative', relative: count * ULP, absolute: 0 }
}
