/**
 * Conv of ONNX over one or two spatial axes: X [N, C, H, W], W [M, C/groups, R, S], B [M] → [N, M, P, Q]; 1-D without H, R and P.
 * Besides ONNX's attributes, `activation: 'relu'` is applied before the result is stored.
 */
import type { OpDefinition } from '../op.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, convMacs, convSizes, infer, problem, type ConvAttributes } from './rule.ts'

export const conv2d: OpDefinition<ConvAttributes> = {
  name: 'conv2d',
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs, attributes: given }) => 2 * convMacs(convSizes(inputs, given)),
  problem,
  biasInput: 2,
}
