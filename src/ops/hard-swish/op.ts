/** HardSwish: x · hardSigmoid(x) of slope 1/6, which is 0 up to −3, x from 3 on, and x · (x / 6 + 1/2) between. */
import { z } from 'zod'
import apply from '../../../shaders/elementwise/hard_swish.wgsl?raw'
import { floatOp } from '../elementwise/float-op.ts'
import { ULP } from '../elementwise/tolerance.ts'

/** In f64. −∞ gives its limit, 0. */
export function hardSwishOf(x: number): number {
  if (x >= 3) return x
  return x <= -3 ? 0 : x * (x / 6 + 0.5)
}

/** Between the bends 1/6, a product and a sum up to 1 are rounded, then a product up to 3: 3 · (1/2 + 1/2 + 1) + 3 units of 2⁻²³. */
export const HARD_SWISH_ERROR = 9 * ULP

export const hardSwish = floatOp<Record<string, never>>({
  name: 'hardSwish',
  attributes: z.strictObject({}),
  flops: 5,
  apply,
  value: hardSwishOf,
  tolerance: () => ({ kind: 'relative', relative: 0, absolute: HARD_SWISH_ERROR }),
})
