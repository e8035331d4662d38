/** Elu: x where x ≥ 0, else alpha · (eˣ − 1). */
import { z } from 'zod'
import apply from '../../../shaders/elementwise/elu.wgsl?raw'
import { floatOp } from '../elementwise/float-op.ts'
import { ulps } from '../elementwise/tolerance.ts'

/**
 * The kernel takes eˣ − 1 by a series for x > −1 (each of its steps rounds; the alternating sum stays above 0.63 of its first term), and
 * by e^x elsewhere, where an error of 3 + 2|x| ulp of eˣ ≤ 0.37 against a result of at least 0.63 is at most 3 ulp.
 */
export const elu = floatOp({
  name: 'elu',
  attributes: z.strictObject({ alpha: z.number().default(1) }),
  flops: 3,
  apply,
  params: ({ alpha }) => ({ alpha }),
  value: (x, { alpha }) => (x < 0 ? Math.fround(alpha) * Math.expm1(x) : x),
  tolerance: () => ulps(8),
})
