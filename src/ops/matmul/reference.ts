/** MatMul on the CPU in f64, one matrix product per batch entry. */
import { broadcastStrides, sizeOf, stridesOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { fusedReference } from '../gemm/fused.ts'
import { keptWeights } from '../gemm/kept-reference.ts'
import { product, transposed } from '../gemm/reference-product.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { floatsOf } from '../values.ts'
import { matmulSizes, type MatmulAttributes } from './rule.ts'

export function reference(inputs: InputValues, attributes: MatmulAttributes): ReferenceOutput[] {
  const a = requireInput('matmul', inputs, 0, 'A')
  const b = requireInput('matmul', inputs, 1, 'B')
  const { i, j, k, aBatch, bBatch, batch, shape } = matmulSizes(inputs)
  const left = floatsOf(a)
  const dense = columnsOf(floatsOf(b), sizeOf(bBatch), k, j)
  const right = attributes.sparsity === undefined ? dense : keptWeights(dense, [j, k])
  const aSteps = broadcastStrides(aBatch, batch)
  const bSteps = broadcastStrides(bBatch, batch)
  const steps = stridesOf(batch)
  const exact = new Float64Array(sizeOf(shape))
  const bound = new Float64Array(exact.length)
  const count = sizeOf(batch)
  for (let entry = 0; entry < count; entry++) {
    const index = batch.map((size, axis) => Math.floor(entry / (steps[axis] ?? 1)) % size)
    const of = (strides: readonly number[]): number => index.reduce((sum, at, axis) => sum + at * (strides[axis] ?? 0), 0)
    product(
      { values: left, offset: of(aSteps) * i * k, rows: i },
      { values: right, offset: of(bSteps) * j * k, rows: j },
      k,
      { sum: exact, magnitude: bound },
      { offset: entry * i * j, row: j, column: 1 },
    )
  }
  const dtype = attributes.output ?? (a.dtype === 'f16' ? 'f16' : 'f32')
  return fusedReference(inputs, { dtype, shape }, [i, j], { sum: exact, magnitude: bound, depth: k }, attributes)
}

/** Each [K, J] matrix of a batch as [J, K]. */
function columnsOf(values: Float32Array, batch: number, k: number, j: number): Float32Array {
  const result = new Float32Array(values.length)
  for (let entry = 0; entry < batch; entry++) {
    const start = entry * k * j
    result.set(transposed(values.subarray(start, start + k * j), k, j), start)
  }
  return result
}
