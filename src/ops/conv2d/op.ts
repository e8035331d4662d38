/**
 * Conv of ONNX over one, two or three spatial axes: X [N, C, H, W], W [M, C/groups, R, S], B [M] → [N, M, P, Q]; 1-D without H, R and P,
 * 3-D with an axis more. Besides ONNX's inputs and attributes, a residual of Y's shape (input 3) is added and `activation` applied
 * before the result is stored, and X, the residual and Y may lie in another `layout`.
 */
import { checkSparseWeights } from '../gemm/sparse-weights.ts'
import type { OpDefinition } from '../op.ts'
import { plan, settled } from './plan.ts'
import { reference } from './reference.ts'
import { INPUT } from './convolution.ts'
import { attributes, convMacs, convProblemOf, convSizes, infer, isDeep, problem, type ConvAttributes } from './rule.ts'

export const conv2d: OpDefinition<ConvAttributes> = {
  name: 'conv2d',
  attributes,
  hostInputs: [],
  infer,
  checkValues: ({ [INPUT.w]: w = null }, { sparsity }) => {
    if (sparsity !== undefined) checkSparseWeights(w, 'filters')
  },
  reference,
  plan,
  settled,
  flops: ({ inputs, attributes: given }) => 2 * convMacs(inputs, given),
  problem,
  ownLoops: {
    what: 'a convolution over three axes',
    problem: ({ inputs, attributes: given }) => {
      const sizes = convSizes(inputs, given)
      return isDeep(sizes) ? convProblemOf(sizes) : undefined
    },
    factors: [INPUT.x, INPUT.w],
    bias: INPUT.bias,
  },
  biasInput: 2,
}
