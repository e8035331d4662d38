/** Sigmoid: 1 / (1 + e⁻ˣ). */
import { z } from 'zod'
import apply from '../../../shaders/elementwise/sigmoid.wgsl?raw'
import { floatOp } from '../elementwise/float-op.ts'
import { ULP } from '../elementwise/tolerance.ts'
import { numbersOf } from '../values.ts'

/** In f64, by the form whose exponential is at most 1. */
function sigmoidOf(x: number): number {
  const e = Math.exp(-Math.abs(x))
  return (x < 0 ? e : 1) / (1 + e)
}

/** e⁻|ˣ| is within 3 + 2|x| ulp; adding 1 and dividing round by 1 and 2.5 more. */
export const sigmoid = floatOp<Record<string, never>>({
  name: 'sigmoid',
  attributes: z.strictObject({}),
  flops: 4,
  apply,
  value: sigmoidOf,
  tolerance: (x) => ({
    kind: 'bound',
    bound: Float64Array.from(numbersOf(x), (value) => (8 + 2 * Math.abs(value)) * ULP * sigmoidOf(value)),
  }),
})
