/** LeakyRelu: x where x ≥ 0, else alpha · x. */
import { z } from 'zod'
import apply from '../../../shaders/elementwise/leaky_relu.wgsl?raw'
import { floatOp } from '../elementwise/float-op.ts'
import { ulps } from '../elementwise/tolerance.ts'

export const leakyRelu = floatOp({
  name: 'leakyRelu',
  attributes: z.strictObject({ alpha: z.number().default(0.01) }),
  flops: 2,
  apply,
  params: ({ alpha }) => ({ alpha }),
  value: (x, { alpha }) => (x < 0 ? Math.fround(alpha) * x : x),
  tolerance: () => ulps(1),
})
