/** Fully connected layer on the CPU in f64. Bound: K products and the bias as one more term. */
import { requireInput } from '../checks.ts'
import { product } from '../gemm/reference-product.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { gamma } from '../tolerance.ts'
import { floatsOf, rounded } from '../values.ts'
import { linearSizes } from './rule.ts'

export function reference(inputs: InputValues): ReferenceOutput[] {
  const x = requireInput('linear', inputs, 0, 'x')
  const w = requireInput('linear', inputs, 1, 'w')
  const bias = inputs[2] ?? null
  const { n, m, k } = linearSizes(inputs)
  const exact = new Float64Array(n * m)
  const bound = new Float64Array(n * m)
  product(
    { values: floatsOf(x), offset: 0, rows: n },
    { values: floatsOf(w), offset: 0, rows: m },
    k,
    { sum: exact, magnitude: bound },
    { offset: 0, row: m, column: 1 },
  )
  const addends = bias === null ? null : floatsOf(bias)
  const factor = gamma(addends === null ? k : k + 1)
  for (let at = 0; at < exact.length; at++) {
    const addend = addends === null ? 0 : addends[at % m]!
    exact[at] = exact[at]! + addend
    bound[at] = factor * (bound[at]! + Math.abs(addend))
  }
  return [{ tensor: rounded(x.dtype === 'f16' ? 'f16' : 'f32', [n, m], exact), exact, tolerance: { kind: 'bound', bound } }]
}
