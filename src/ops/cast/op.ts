/**
 * Cast between any two dtypes. Floats become integers by truncation; what is out of range saturates and NaN becomes 0 (ONNX leaves both
 * open). Between integers the high bits are dropped. Everything but ±0 is true.
 */
import { z } from 'zod'
import { DTYPES } from '../../tensor/dtype.ts'
import { requireInput } from '../checks.ts'
import type { OpDefinition } from '../op.ts'
import { castPlan } from './plan.ts'
import { castReference } from './reference.ts'

const attributes = z.strictObject({ to: z.enum(DTYPES) })

export const cast: OpDefinition<z.infer<typeof attributes>> = {
  name: 'cast',
  attributes,
  hostInputs: [],
  infer: ({ inputs, attributes: { to } }) => [{ dtype: to, shape: requireInput('cast', inputs, 0, 'input').shape }],
  reference: (inputs, { to }) => [castReference(requireInput('cast', inputs, 0, 'input'), to)],
  plan({ inputs, attributes: { to } }) {
    const x = requireInput('cast', inputs, 0, 'input')
    return castPlan(x, { dtype: to, shape: x.shape })
  },
  flops: () => 0,
}
