/** Attributes and shape rule of lrn. */
import { z } from 'zod'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireRank } from '../checks.ts'
import type { InferContext } from '../op.ts'

export const attributes = z.strictObject({
  /** Channels of the window. */
  size: z.number().int().min(1),
  alpha: z.number().default(1e-4),
  beta: z.number().default(0.75),
  bias: z.number().default(1),
})
export type LrnAttributes = z.infer<typeof attributes>

/** X as [outer, channels, inner], and the channels below and above each that its window takes: ⌊(size−1)/2⌋ and ⌈(size−1)/2⌉. */
export function lrnSizes(
  x: TensorType,
  { size }: LrnAttributes,
): { channels: number; inner: number; before: number; after: number } {
  const [, channels = 1, ...rest] = x.shape
  return { channels, inner: sizeOf(rest), before: Math.floor((size - 1) / 2), after: Math.ceil((size - 1) / 2) }
}

/** The shape of X. @throws ShapeError, DtypeError */
export function infer({ inputs }: InferContext<LrnAttributes>): TensorType[] {
  const x = requireInput('lrn', inputs, 0, 'X')
  requireDType('lrn', 'X', x, ['f32', 'f16'])
  requireRank('lrn', 'X', x, 2, Infinity)
  requireIndexable('lrn', x)
  return [{ dtype: x.dtype, shape: x.shape }]
}
