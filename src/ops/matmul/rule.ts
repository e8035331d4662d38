/** Shape rule of matmul: NumPy's, with 1-D operands as a row on the left and a column on the right. */
import { z } from 'zod'
import { OptionError, ShapeError } from '../../errors.ts'
import { broadcastShapes, formatShape, sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireRank, requireSameDType } from '../checks.ts'
import { fusedFields, fusedOutput } from '../gemm/fused.ts'
import type { InferContext, InputTypes } from '../op.ts'

export const attributes = z.strictObject(fusedFields)
export type MatmulAttributes = z.infer<typeof attributes>

/** A matmul, taken apart. */
export interface MatmulSizes {
  readonly i: number
  readonly j: number
  readonly k: number
  /** Batch dimensions of A, of B, and of both broadcast together. */
  readonly aBatch: readonly number[]
  readonly bBatch: readonly number[]
  readonly batch: readonly number[]
  /** Shape of the result: without i where A is a vector, without j where B is. */
  readonly shape: readonly number[]
}

/** @throws ShapeError when A and B do not fit */
export function matmulSizes(inputs: InputTypes): MatmulSizes {
  const a = requireInput('matmul', inputs, 0, 'A')
  const b = requireInput('matmul', inputs, 1, 'B')
  requireRank('matmul', 'A', a, 1, Infinity)
  requireRank('matmul', 'B', b, 1, Infinity)
  const vectorA = a.shape.length === 1
  const vectorB = b.shape.length === 1
  const i = vectorA ? 1 : (a.shape.at(-2) ?? 1)
  const j = vectorB ? 1 : (b.shape.at(-1) ?? 1)
  const k = a.shape.at(-1) ?? 1
  const depth = b.shape.at(vectorB ? -1 : -2) ?? 1
  if (k !== depth) {
    throw new ShapeError(
      `A ${formatShape(a.shape)} and B ${formatShape(b.shape)} do not share their inner extent: ${k} and ${depth}`,
      {
        op: 'matmul',
      },
    )
  }
  const aBatch = a.shape.slice(0, -2)
  const bBatch = b.shape.slice(0, -2)
  const batch = broadcastShapes(aBatch, bBatch)
  return { i, j, k, aBatch, bBatch, batch, shape: [...batch, ...(vectorA ? [] : [i]), ...(vectorB ? [] : [j])] }
}

/** [..., I, J], in the dtype of A unless `output` says otherwise. @throws ShapeError, DtypeError, OptionError */
export function infer({ inputs, attributes: given }: InferContext<MatmulAttributes>): TensorType[] {
  const a = requireInput('matmul', inputs, 0, 'A')
  const b = requireInput('matmul', inputs, 1, 'B')
  requireDType('matmul', 'A', a, ['f32', 'f16'])
  requireSameDType('matmul', 'B', b, a)
  const { i, j, bBatch, shape } = matmulSizes(inputs)
  if (given.sparsity !== undefined && sizeOf(bBatch) !== 1) {
    throw new OptionError(`B ${formatShape(b.shape)} is a batch, and 2:4 is for one matrix of weights`, {
      op: 'matmul',
      remedy: 'Leave sparsity out',
    })
  }
  const output = fusedOutput('matmul', inputs, shape, [i, j], given)
  requireIndexable('matmul', a, b, output)
  return [output]
}

/** The product as i×j×k with a batch: where one B serves all of A, the batch is more rows. */
export function matmulLoops(inputs: InputTypes): { i: number; j: number; k: number; batch: number } {
  const { i, j, k, bBatch, batch } = matmulSizes(inputs)
  const count = sizeOf(batch)
  return sizeOf(bBatch) === 1 ? { i: i * count, j, k, batch: 1 } : { i, j, k, batch: count }
}
