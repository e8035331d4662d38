/** Attributes and shape rule of gemm. */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { formatShape, type Shape } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireRank, requireSameDType } from '../checks.ts'
import type { InferContext } from '../op.ts'
import { flag, onnxNames } from '../window.ts'
import { fusedFields, fusedOutput } from './fused.ts'

export const attributes = z.preprocess(
  onnxNames,
  z.strictObject({
    alpha: z.number().default(1),
    /** Factor of C; where it is 0, C is not read. */
    beta: z.number().default(1),
    /** A is given as [K, I]. */
    transA: flag,
    /** B is given as [J, K]. */
    transB: flag,
    ...fusedFields,
  }),
)
export type GemmAttributes = z.infer<typeof attributes>

/** I, J, K of the product. @throws ShapeError when A and B do not fit */
export function gemmSizes(a: TensorType, b: TensorType, { transA, transB }: GemmAttributes): { i: number; j: number; k: number } {
  const [i, k] = oriented(a.shape, transA)
  const [depth, j] = oriented(b.shape, transB)
  if (k !== depth) {
    throw new ShapeError(
      `A ${formatShape(a.shape)} and B ${formatShape(b.shape)} do not share their inner extent: ${k} and ${depth}`,
      {
        op: 'gemm',
        transA,
        transB,
      },
    )
  }
  return { i, j, k }
}

function oriented([rows = 0, columns = 0]: Shape, transposed: boolean): [number, number] {
  return transposed ? [columns, rows] : [rows, columns]
}

/** [I, J], in the dtype of A unless `output` says otherwise. @throws ShapeError, DtypeError, OptionError */
export function infer({ inputs, attributes: given }: InferContext<GemmAttributes>): TensorType[] {
  const a = requireInput('gemm', inputs, 0, 'A')
  const b = requireInput('gemm', inputs, 1, 'B')
  requireDType('gemm', 'A', a, ['f32', 'f16'])
  requireSameDType('gemm', 'B', b, a)
  requireRank('gemm', 'A', a, 2, 2)
  requireRank('gemm', 'B', b, 2, 2)
  const { i, j } = gemmSizes(a, b, given)
  const output = fusedOutput('gemm', inputs, [i, j], [i, j], given)
  requireIndexable('gemm', a, b, output)
  return [output]
}
