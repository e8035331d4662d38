/**
 * Activations times weights in EIE's form (src/sparsity/eie.ts: values or codes, zeros before each, pointers, codebook): X [..., K] with
 * W [N, K] → activation(X · Wᵀ + bias [N] + residual [..., N]). Made for a row of X at a time; skips columns whose activation is 0.
 */
import type { OpDefinition } from '../op.ts'
import { sparseProblem } from '../sparse/rule.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, eieSizes, infer, OP, type EieAttributes } from './rule.ts'

export const eieMatmul: OpDefinition<EieAttributes> = {
  name: OP,
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs, attributes: given }) => {
    const { rows, entries } = eieSizes(inputs, given)
    return 2 * rows * entries
  },
  ownLoops: {
    what: 'a product of sparse weights',
    problem: ({ inputs, attributes: given }) => sparseProblem(eieSizes(inputs, given)),
    factors: [0, 1],
    bias: 5,
  },
}
