/** Gemm of ONNX: Y = alpha · A′·B′ + beta · C, A′ [I, K] and B′ [K, J] given transposed or not, C broadcast to [I, J]. */
import { gemmProblem } from '../../schedule/problem.ts'
import { requireInput } from '../checks.ts'
import type { InferContext, OpDefinition } from '../op.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { checkSparseWeights } from './sparse-weights.ts'
import { attributes, gemmSizes, infer, type GemmAttributes } from './rule.ts'

function sizes({ inputs, attributes: given }: InferContext<GemmAttributes>): { i: number; j: number; k: number } {
  return gemmSizes(requireInput('gemm', inputs, 0, 'A'), requireInput('gemm', inputs, 1, 'B'), given)
}

export const gemm: OpDefinition<GemmAttributes> = {
  name: 'gemm',
  attributes,
  hostInputs: [],
  infer,
  checkValues: ([, b = null], { sparsity, transB }) => {
    if (sparsity !== undefined) checkSparseWeights(b, transB ? 'lines' : 'across')
  },
  reference,
  plan,
  flops: (context) => {
    const { i, j, k } = sizes(context)
    return 2 * i * j * k
  },
  problem: (context) => gemmProblem(sizes(context)),
  biasInput: 2,
}
