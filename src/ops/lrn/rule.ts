/** Attributes and shape rule of lrn. */
import { z } from 'zod'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireRank } from '../checks.ts'
import { layoutField } from '../layout.ts'
import type { InferContext } from '../op.ts'

export const attributes = z.strictObject({
  /** Channels of the window. */
  size: z.number().int().min(1),
  alpha: z.number().default(1e-4),
  beta: z.number().default(0.75),
  bias: z.number().default(1),
  /** How X and Y lie; nchw4 of whole quads only. */
  layout: layoutField,
})
export type LrnAttributes = z.infer<typeof attributes>

/** The channels below and above each that its window takes: ⌊(size−1)/2⌋ and ⌈(size−1)/2⌉. */
export function windowOf({ size }: Pick<LrnAttributes, 'size'>): { before: number; after: number } {
  return { before: Math.floor((size - 1) / 2), after: Math.ceil((size - 1) / 2) }
}

/** The shape of X. @throws ShapeError, DtypeError */
export function infer({ inputs, attributes: { layout } }: InferContext<LrnAttributes>): TensorType[] {
  const x = requireInput('lrn', inputs, 0, 'X')
  requireDType('lrn', 'X', x, ['f32', 'f16'])
  requireRank('lrn', 'X', x, { nchw: 2, nhwc: 2, nchw4: 3 }[layout], Infinity)
  requireIndexable('lrn', x)
  return [{ dtype: x.dtype, shape: x.shape }]
}
