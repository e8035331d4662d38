/** HardSigmoid: alpha · x + beta, held to [0, 1]. */
import { z } from 'zod'
import apply from '../../../shaders/elementwise/hard_sigmoid.wgsl?raw'
import { floatOp } from '../elementwise/float-op.ts'
import { ULP } from '../elementwise/tolerance.ts'

const attributes = z.strictObject({ alpha: z.number().default(0.2), beta: z.number().default(0.5) })
export type HardSigmoidAttributes = z.infer<typeof attributes>

/** In f64, with the attributes as f32. */
export function hardSigmoidOf(x: number, { alpha, beta }: HardSigmoidAttributes): number {
  return Math.min(Math.max(Math.fround(alpha) * x + Math.fround(beta), 0), 1)
}

/** Product and sum are rounded where the sum lies in [0, 1], and so the product within 1 + |beta|; outside them the bounds are exact. */
export function hardSigmoidError({ beta }: HardSigmoidAttributes): number {
  return 2 * ULP * (1 + Math.abs(beta))
}

export const hardSigmoid = floatOp({
  name: 'hardSigmoid',
  attributes,
  flops: 4,
  apply,
  params: ({ alpha, beta }) => ({ alpha, beta }),
  value: hardSigmoidOf,
  tolerance: (_, given) => ({ kind: 'relative', relative: 0, absolute: hardSigmoidError(given) }),
})
