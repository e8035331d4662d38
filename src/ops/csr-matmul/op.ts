/**
 * Activations times sparse weights by rows: X [..., K] with W [N, K] in CSR (src/sparsity/csr.ts: values, columns, pointers) →
 * activation(X · Wᵀ + bias [N] + residual [..., N]). What is no entry is not multiplied.
 */
import type { OpDefinition } from '../op.ts'
import { checkCsr } from '../../sparsity/csr.ts'
import { checkOnce, isFloats, isWords, sparseProblem } from '../sparse/rule.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, csrSizes, infer, OP, type CsrAttributes } from './rule.ts'

export const csrMatmul: OpDefinition<CsrAttributes> = {
  name: OP,
  attributes,
  hostInputs: [],
  infer,
  checkValues: ([, ...weights], { depth, indexBits }) => {
    checkOnce(weights.slice(0, 3), ([values, columns, pointers]) => {
      if (!isFloats(values) || !isWords(columns) || !isWords(pointers)) return
      checkCsr({ lines: pointers.values.length - 1, depth: depth ?? Infinity, values, columns, indexBits, pointers })
    })
  },
  reference,
  plan,
  flops: ({ inputs, attributes: given }) => {
    const { rows, entries } = csrSizes(inputs, given)
    return 2 * rows * entries
  },
  ownLoops: {
    what: 'a product of sparse weights',
    problem: ({ inputs, attributes: given }) => sparseProblem(csrSizes(inputs, given)),
    factors: [0, 1],
    bias: 4,
  },
}
