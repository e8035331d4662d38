/** QuantizeLinear of ONNX: y = saturate(round half to even(x / scale) + zero point) in bytes, per tensor, per axis or in blocks. */
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import type { OpDefinition } from '../op.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, infer, type QuantizeAttributes } from './rule.ts'

export const quantizeLinear: OpDefinition<QuantizeAttributes> = {
  name: 'quantizeLinear',
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs }) => 2 * sizeOf(requireInput('quantizeLinear', inputs, 0, 'x').shape),
}
