/** Gemm on the CPU in f64. Bound: K products and sums, the products with alpha and beta and their sum. */
import { broadcastStrides } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { gamma } from '../tolerance.ts'
import { floatsOf, rounded } from '../values.ts'
import { gemmSizes, type GemmAttributes } from './rule.ts'
import { product, transposed } from './reference-product.ts'

export function reference(inputs: InputValues, attributes: GemmAttributes): ReferenceOutput[] {
  const a = requireInput('gemm', inputs, 0, 'A')
  const b = requireInput('gemm', inputs, 1, 'B')
  const c = inputs[2] ?? null
  const { i, j, k } = gemmSizes(a, b, attributes)
  const left = attributes.transA ? transposed(floatsOf(a), k, i) : floatsOf(a)
  const right = attributes.transB ? floatsOf(b) : transposed(floatsOf(b), k, j)
  const exact = new Float64Array(i * j)
  const bound = new Float64Array(i * j)
  product(
    { values: left, offset: 0, rows: i },
    { values: right, offset: 0, rows: j },
    k,
    { sum: exact, magnitude: bound },
    { offset: 0, row: j, column: 1 },
  )
  const alpha = Math.fround(attributes.alpha)
  const beta = Math.fround(attributes.beta)
  const addend = c === null ? null : floatsOf(c)
  const [rowStep = 0, columnStep = 0] = c === null ? [] : broadcastStrides(c.shape, [i, j])
  const factor = gamma(k + 3)
  for (let row = 0; row < i; row++) {
    for (let column = 0; column < j; column++) {
      const at = row * j + column
      const term = addend === null ? 0 : beta * addend[row * rowStep + column * columnStep]!
      exact[at] = alpha * exact[at]! + term
      bound[at] = factor * (Math.abs(alpha) * bound[at]! + Math.abs(term))
    }
  }
  return [{ tensor: rounded(a.dtype === 'f16' ? 'f16' : 'f32', [i, j], exact), exact, tolerance: { kind: 'bound', bound } }]
}
