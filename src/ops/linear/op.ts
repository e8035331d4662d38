/** Fully connected layer: x [N, …] flattened to [N, K], w [M, K], bias [M] → [N, M]. */
import { checkSparseWeights } from '../gemm/sparse-weights.ts'
import type { OpDefinition } from '../op.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, infer, linearSizes, problem, type LinearAttributes } from './rule.ts'

export const linear: OpDefinition<LinearAttributes> = {
  name: 'linear',
  attributes,
  hostInputs: [],
  infer,
  checkValues: ([, w = null], { sparsity }) => {
    if (sparsity !== undefined) checkSparseWeights(w, 'lines')
  },
  reference,
  plan,
  flops: ({ inputs }) => {
    const { n, m, k } = linearSizes(inputs)
    return 2 * n * m * k
  },
  problem,
  biasInput: 2,
}
