/** MaxPool of ONNX over one to three spatial axes: X [N, C, …] → [N, C, …], and the positions of the maxima with `indices`. */
import { requireInput } from '../checks.ts'
import type { OpDefinition } from '../op.ts'
import { poolSizes, windowVolume } from '../pool/window-pool.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, infer, type MaxPoolAttributes } from './rule.ts'

export const maxPool: OpDefinition<MaxPoolAttributes> = {
  name: 'maxPool',
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs, attributes: given }) => windowVolume(poolSizes('maxPool', requireInput('maxPool', inputs, 0, 'X'), given)),
}
