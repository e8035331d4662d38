/**
 * Activations times weights in EIE's form (src/sparsity/eie.ts: values or codes, zeros before each, pointers, codebook): X [..., K] with
 * W [N, K] → activation(X · Wᵀ + bias [N] + residual [..., N]). Made for a row of X at a time; skips columns whose activation is 0.
 */
import type { OpDefinition } from '../op.ts'
import { checkEie } from '../../sparsity/eie.ts'
import { checkOnce, isFloats, isWords, sparseProblem } from '../sparse/rule.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { attributes, eieSizes, infer, OP, type EieAttributes } from './rule.ts'

export const eieMatmul: OpDefinition<EieAttributes> = {
  name: OP,
  attributes,
  hostInputs: [],
  infer,
  checkValues: ([, values, zeros, pointers, codebook = null], { lines }) => {
    checkOnce([values, zeros, ...(codebook === null ? [] : [codebook]), pointers], () => {
      if (!isWords(zeros) || !isWords(pointers)) return
      if (!isWords(values) && !isFloats(values)) return
      const [elements = 0, ends = 1] = pointers.shape
      const shared = isFloats(codebook) ? { codebook } : {}
      const entries = pointers.values.at(-1) ?? 0
      checkEie({ lines, depth: ends - 1, elements, entries, padding: 0, zeros, values, pointers, ...shared })
    })
  },
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
