/** Attributes and shape rule of quantizeLinear. */
import { z } from 'zod'
import { DtypeError, ShapeError } from '../../errors.ts'
import { formatShape, sameShape } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput } from '../checks.ts'
import type { InferContext } from '../op.ts'
import { blocksOf } from './blocks.ts'

export const attributes = z.strictObject({
  /** The axis that scales go along, where there are several. */
  axis: z.number().int().default(1),
  /** Elements along the axis that share a scale; 0: a scale for each index of the axis, or one for all. */
  blockSize: z.number().int().min(0).default(0),
  /** Dtype of the result where no zero point says it. Default u8. */
  dtype: z.enum(['i8', 'u8']).optional(),
})
export type QuantizeAttributes = z.infer<typeof attributes>

const OP = 'quantizeLinear'

/** The shape of x in bytes. @throws ShapeError, DtypeError, OptionError */
export function infer({ inputs, attributes: { axis, blockSize, dtype } }: InferContext<QuantizeAttributes>): TensorType[] {
  const x = requireInput(OP, inputs, 0, 'x')
  const scale = requireInput(OP, inputs, 1, 'y_scale')
  const zero = inputs[2] ?? null
  requireDType(OP, 'x', x, ['f32', 'f16', 'i32'])
  requireDType(OP, 'y_scale', scale, ['f32', 'f16'])
  blocksOf(OP, x, scale, axis, blockSize)
  if (zero !== null) {
    requireDType(OP, 'y_zero_point', zero, ['i8', 'u8'])
    requireZeroPoint(OP, zero, scale)
    if (dtype !== undefined && dtype !== zero.dtype) {
      throw new DtypeError(`The zero point is ${zero.dtype}, but the result is to be ${dtype}`, { op: OP, dtype })
    }
  }
  requireIndexable(OP, x)
  return [{ dtype: zero?.dtype ?? dtype ?? 'u8', shape: x.shape }]
}

/** @throws ShapeError unless there is a zero point for each scale */
export function requireZeroPoint(op: string, zero: TensorType, scale: TensorType): void {
  const single = (type: TensorType): boolean => type.shape.length <= 1 && (type.shape[0] ?? 1) === 1
  if (sameShape(zero.shape, scale.shape) || (single(zero) && single(scale))) return
  throw new ShapeError(`The zero point ${formatShape(zero.shape)} is not of the scale's shape ${formatShape(scale.shape)}`, { op })
}
