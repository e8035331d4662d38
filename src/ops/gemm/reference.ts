/** Gemm on the CPU in f64. */
import { requireInput } from '../checks.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { floatsOf } from '../values.ts'
import { fusedReference } from './fused.ts'
import { keptWeights } from './kept-reference.ts'
import { product, transposed } from './reference-product.ts'
import { gemmSizes, type GemmAttributes } from './rule.ts'

export function reference(inputs: InputValues, attributes: GemmAttributes): ReferenceOutput[] {
  const a = requireInput('gemm', inputs, 0, 'A')
  const b = requireInput('gemm', inputs, 1, 'B')
  const { i, j, k } = gemmSizes(a, b, attributes)
  const left = attributes.transA ? transposed(floatsOf(a), k, i) : floatsOf(a)
  const dense = attributes.transB ? floatsOf(b) : transposed(floatsOf(b), k, j)
  const right = attributes.sparsity === undefined ? dense : keptWeights(dense, [j, k])
  const sum = new Float64Array(i * j)
  const magnitude = new Float64Array(i * j)
  product(
    { values: left, offset: 0, rows: i },
    { values: right, offset: 0, rows: j },
    k,
    { sum, magnitude },
    { offset: 0, row: j, column: 1 },
  )
  const dtype = attributes.output ?? (a.dtype === 'f16' ? 'f16' : 'f32')
  const { alpha, beta } = attributes
  return fusedReference(inputs, { dtype, shape: [i, j] }, [i, j], { sum, magnitude, depth: k }, attributes, alpha, beta)
}
