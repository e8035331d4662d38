/**
 * Activations times sparse weights by columns: X [..., K] with W [N, K] in CSC over processing elements (src/sparsity/csc.ts: values, rows,
 * pointers) → activation(X · Wᵀ + bias [N] + residual [..., N]). Skips zeros of both: what is no entry, and columns whose activations are 0.
 */
import type { OpDefinition } from '../op.ts'
import { checkCsc } from '../../sparsity/csc.ts'
import { checkOnce, isFloats, isWords, sparseProblem } from '../sparse/rule.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, cscSizes, infer, OP, type CscAttributes } from './rule.ts'

export const cscMatmul: OpDefinition<CscAttributes> = {
  name: OP,
  attributes,
  hostInputs: [],
  infer,
  checkValues: ([, ...weights], { lines, indexBits }) => {
    checkOnce(weights.slice(0, 3), ([values, rows, pointers]) => {
      if (!isFloats(values) || !isWords(rows) || !isWords(pointers)) return
      const [elements = 0, ends = 1] = pointers.shape
      checkCsc({ lines, depth: ends - 1, elements, values, rows, indexBits, pointers })
    })
  },
  reference,
  plan,
  flops: ({ inputs, attributes: given }) => {
    const { rows, entries } = cscSizes(inputs, given)
    return 2 * rows * entries
  },
  ownLoops: {
    what: 'a product of sparse weights',
    problem: ({ inputs, attributes: given }) => sparseProblem(cscSizes(inputs, given)),
    factors: [0, 1],
    bias: 4,
  },
}
