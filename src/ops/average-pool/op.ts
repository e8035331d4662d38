/** AveragePool of ONNX over one to three spatial axes: X [N, C, …] → [N, C, …]. */
import { requireInput } from '../checks.ts'
import type { OpDefinition } from '../op.ts'
import { poolSizes, windowVolume } from '../pool/window-pool.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, infer, type AveragePoolAttributes } from './rule.ts'

export const averagePool: OpDefinition<AveragePoolAttributes> = {
  name: 'averagePool',
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs, attributes: given }) =>
    windowVolume(poolSizes('averagePool', requireInput('averagePool', inputs, 0, 'X'), given)),
}
