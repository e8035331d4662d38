/** GlobalAveragePool of ONNX: the mean of every plane, X [N, C, …] → [N, C, 1, …]. */
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import type { OpDefinition } from '../op.ts'
import { attributes, inferGlobalPool, type GlobalPoolAttributes } from '../pool/global-pool.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'

export const globalAveragePool: OpDefinition<GlobalPoolAttributes> = {
  name: 'globalAveragePool',
  attributes,
  hostInputs: [],
  infer: ({ inputs, attributes: given }) => inferGlobalPool('globalAveragePool', inputs, given),
  reference,
  plan,
  flops: ({ inputs }) => sizeOf(requireInput('globalAveragePool', inputs, 0, 'X').shape),
}
