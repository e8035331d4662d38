/**
 * ConvTranspose of ONNX over one, two or three spatial axes: X [N, C, H, W], W [C, M/groups, R, S], B [M] → [N, M, P, Q]; 1-D without H,
 * R and P, 3-D with an axis more. Besides ONNX's inputs and attributes, a residual of Y's shape (input 3) is added and `activation`
 * applied before the result is stored, and X, the residual and Y may lie in another `layout`. Dataflows do not run it: the walk of its
 * outputs is no loop nest of theirs.
 */
import { INPUT } from '../conv2d/convolution.ts'
import type { OpDefinition } from '../op.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, infer, transposedProblem, transposedSizes, type ConvTransposeAttributes } from './rule.ts'
import { macsOf } from './transposed.ts'

export const convTranspose2d: OpDefinition<ConvTransposeAttributes> = {
  name: 'convTranspose2d',
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs, attributes: given }) => 2 * macsOf(transposedSizes(inputs, given)),
  ownLoops: {
    what: 'a transposed convolution',
    problem: ({ inputs, attributes: given }) => transposedProblem(transposedSizes(inputs, given)),
    factors: [INPUT.x, INPUT.w],
    bias: INPUT.bias,
  },
}
