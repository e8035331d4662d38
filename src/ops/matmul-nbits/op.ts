/**
 * MatMulNBits of com.microsoft: [..., K] times packed weights [N, K] of 4 or 8 bits, with a scale (and a zero point) for each block along
 * K → [..., N], plus a bias [N] and an activation. src/precision/weights.ts makes such weights.
 */
import { gemmProblem } from '../../schedule/problem.ts'
import { requireInput } from '../checks.ts'
import { planNBits } from '../gemm/kernels/nbits.ts'
import type { OpDefinition } from '../op.ts'
import { reference } from './reference.ts'
import { attributes, infer, nbitsSizes, OP, type NBitsAttributes } from './rule.ts'

export const matmulNBits: OpDefinition<NBitsAttributes> = {
  name: OP,
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan: ({ inputs, outputs, attributes: given, device }) =>
    planNBits(
      {
        op: OP,
        sizes: nbitsSizes(inputs, given),
        inputs,
        coarse: given.accuracyLevel === 4,
        activation: given.activation,
        output: requireInput(OP, outputs, 0, 'Y'),
      },
      device,
      given.kernel,
    ),
  flops: ({ inputs, attributes: given }) => {
    const { rows, columns, depth } = nbitsSizes(inputs, given)
    return 2 * rows * columns * depth
  },
  ownLoops: {
    what: 'a product of quantised operands',
    problem: ({ inputs, attributes: given }) => {
      const { rows: i, columns: j, depth: k } = nbitsSizes(inputs, given)
      return i * j * k === 0 ? undefined : gemmProblem({ i, j, k })
    },
    factors: [0, 1],
    bias: 4,
  },
}
