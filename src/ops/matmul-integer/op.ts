/**
 * MatMulInteger of ONNX: [..., I, K] × [..., K, J] of bytes → i32, batch dimensions broadcast, less a zero point for each row of A and
 * each column of B. With scales (MatMulIntegerToFloat of com.microsoft) the result is a float: scaled, biased, activated, with a
 * residual added.
 */
import type { OpDefinition } from '../op.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, infer, integerLoops, integerProblem, shapeOf, type MatmulIntegerAttributes } from './rule.ts'

export const matmulInteger: OpDefinition<MatmulIntegerAttributes> = {
  name: 'matmulInteger',
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs, attributes: given }) => {
    const { i, j, k, batch } = integerLoops(shapeOf(inputs, given).sizes)
    return 2 * i * j * k * batch
  },
  ownLoops: {
    what: 'a product of quantised operands',
    problem: ({ inputs, attributes: given }) => integerProblem(shapeOf(inputs, given).sizes),
    factors: [0, 1],
    bias: 6,
  },
}
