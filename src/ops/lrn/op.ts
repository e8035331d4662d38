/** LRN of ONNX: y = x / (bias + alpha / size · Σ x²)^beta, the sum over `size` neighbouring channels of X [N, C, …]. */
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import type { OpDefinition } from '../op.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, infer, type LrnAttributes } from './rule.ts'

export const lrn: OpDefinition<LrnAttributes> = {
  name: 'lrn',
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs, attributes: { size } }) => sizeOf(requireInput('lrn', inputs, 0, 'X').shape) * (2 * size + 4),
}
