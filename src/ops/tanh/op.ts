/** Tanh, by e^(−2|x|) − 1, which neither overflows for large |x| nor loses digits for small. */
import { z } from 'zod'
import apply from '../../../shaders/elementwise/tanh.wgsl?raw'
import { floatOp } from '../elementwise/float-op.ts'
import { ulps } from '../elementwise/tolerance.ts'

/** With m = e^(−2|x|) − 1 within 8 ulp (see elu), −m / (2 + m) doubles that at most and rounds by 3.5 more. */
export const tanh = floatOp<Record<string, never>>({
  name: 'tanh',
  attributes: z.strictObject({}),
  flops: 5,
  apply,
  value: Math.tanh,
  tolerance: () => ulps(20),
})
