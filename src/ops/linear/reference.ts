/** Fully connected layer on the CPU in f64. */
import { requireInput } from '../checks.ts'
import { fusedReference } from '../gemm/fused.ts'
import { keptWeights } from '../gemm/kept-reference.ts'
import { product } from '../gemm/reference-product.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { floatsOf } from '../values.ts'
import { linearSizes, type LinearAttributes } from './rule.ts'

export function reference(inputs: InputValues, attributes: LinearAttributes): ReferenceOutput[] {
  const x = requireInput('linear', inputs, 0, 'x')
  const w = requireInput('linear', inputs, 1, 'w')
  const { n, m, k } = linearSizes(inputs)
  const sum = new Float64Array(n * m)
  const magnitude = new Float64Array(n * m)
  product(
    { values: floatsOf(x), offset: 0, rows: n },
    { values: attributes.sparsity === undefined ? floatsOf(w) : keptWeights(floatsOf(w), [m, k]), offset: 0, rows: m },
    k,
    { sum, magnitude },
    { offset: 0, row: m, column: 1 },
  )
  const dtype = attributes.output ?? (x.dtype === 'f16' ? 'f16' : 'f32')
  return fusedReference(inputs, { dtype, shape: [n, m] }, [n, m], { sum, magnitude, depth: k }, attributes)
}
