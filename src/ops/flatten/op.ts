/** Flatten: a matrix, its rows being all axes before `axis` (−rank … rank). */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { aliasOp } from '../movement/alias-op.ts'

export const flatten = aliasOp({
  name: 'flatten',
  attributes: z.strictObject({ axis: z.number().int().default(1) }),
  shapeOf(shape, { attributes: { axis } }) {
    const rank = shape.length
    const split = axis < 0 ? axis + rank : axis
    if (split < 0 || split > rank) {
      throw new ShapeError(`Axis ${axis} is outside a tensor of rank ${rank}`, {
        op: 'flatten',
        shape,
        remedy: `Give an axis from ${-rank} to ${rank}`,
      })
    }
    return [sizeOf(shape.slice(0, split)), sizeOf(shape.slice(split))]
  },
})
