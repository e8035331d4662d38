/** Attributes and shape rule of softmax. */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { normalizeAxis, sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput } from '../checks.ts'
import type { InferContext } from '../op.ts'
import { flag } from '../window.ts'

export const attributes = z.strictObject({
  /** Default −1, with `legacy` 1. */
  axis: z.number().int().optional(),
  /** As before opset 13: the input is taken as a matrix whose columns are all axes from `axis` on, and its rows are normalised. */
  legacy: flag,
})
export type SoftmaxAttributes = z.infer<typeof attributes>

/** Rows of `size` values that lie `inner` apart; `inner` rows lie interleaved. @throws ShapeError when the axis is out of range */
export function softmaxRows(x: TensorType, { axis, legacy }: SoftmaxAttributes): { rows: number; size: number; inner: number } {
  const { shape } = x
  if (legacy) {
    const given = axis ?? 1
    const from = given < 0 ? given + shape.length : given
    if (from < 0 || from > shape.length) {
      throw new ShapeError(`Axis ${given} is outside a tensor of rank ${shape.length}`, { op: 'softmax', shape })
    }
    return { rows: sizeOf(shape.slice(0, from)), size: sizeOf(shape.slice(from)), inner: 1 }
  }
  const at = normalizeAxis(axis ?? -1, shape.length)
  const inner = sizeOf(shape.slice(at + 1))
  return { rows: sizeOf(shape.slice(0, at)) * inner, size: shape[at] ?? 1, inner }
}

/** The type of X. @throws ShapeError, DtypeError */
export function infer({ inputs, attributes: given }: InferContext<SoftmaxAttributes>): TensorType[] {
  const x = requireInput('softmax', inputs, 0, 'X')
  requireDType('softmax', 'X', x, ['f32', 'f16'])
  softmaxRows(x, given)
  requireIndexable('softmax', x)
  return [{ dtype: x.dtype, shape: x.shape }]
}
