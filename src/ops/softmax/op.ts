/** Softmax of ONNX: exp(x) / Σ exp(x) along an axis. */
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import type { OpDefinition } from '../op.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, infer, type SoftmaxAttributes } from './rule.ts'

export const softmax: OpDefinition<SoftmaxAttributes> = {
  name: 'softmax',
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  // Maximum, difference, exponential, sum and division of each value.
  flops: ({ inputs }) => 5 * sizeOf(requireInput('softmax', inputs, 0, 'X').shape),
}
