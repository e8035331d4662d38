/** MatMul of ONNX and NumPy: [..., I, K] × [..., K, J] → [..., I, J], batch dimensions broadcast, 1-D operands allowed. */
import { gemmProblem } from '../../schedule/problem.ts'
import { checkSparseWeights } from '../gemm/sparse-weights.ts'
import type { OpDefinition } from '../op.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, infer, matmulLoops, type MatmulAttributes } from './rule.ts'

export const matmul: OpDefinition<MatmulAttributes> = {
  name: 'matmul',
  attributes,
  hostInputs: [],
  infer,
  checkValues: ([, b = null], { sparsity }) => {
    if (sparsity !== undefined) checkSparseWeights(b, 'across')
  },
  reference,
  plan,
  flops: ({ inputs }) => {
    const { i, j, k, batch } = matmulLoops(inputs)
    return 2 * i * j * k * batch
  },
  problem: ({ inputs }) => gemmProblem(matmulLoops(inputs)),
}
