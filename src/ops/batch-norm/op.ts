/**
 * BatchNormalization of ONNX at inference: X [N, C, …], and scale, bias, mean, variance [C]
 * → (X − mean) · scale / √(variance + epsilon) + bias.
 */
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import type { OpDefinition } from '../op.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, infer, type BatchNormAttributes } from './rule.ts'

export const batchNorm: OpDefinition<BatchNormAttributes> = {
  name: 'batchNorm',
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs }) => 3 * sizeOf(requireInput('batchNorm', inputs, 0, 'X').shape),
}
