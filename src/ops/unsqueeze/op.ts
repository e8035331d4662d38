/** Unsqueeze: new axes of extent 1, at the given places of the result. */
import { ShapeError } from '../../errors.ts'
import { aliasOp } from '../movement/alias-op.ts'
import { axesAttributes, givenAxes } from '../movement/axes.ts'
import { distinctAxes } from '../movement/integers.ts'

export const unsqueeze = aliasOp({
  name: 'unsqueeze',
  attributes: axesAttributes,
  hostInputs: [1],
  shapeOf(shape, context) {
    const axes = givenAxes('unsqueeze', context)
    if (axes === undefined) throw new ShapeError('Input 1 (axes) is missing', { op: 'unsqueeze' })
    const rank = shape.length + axes.length
    const added = new Set(distinctAxes('unsqueeze', axes, rank))
    const extents = shape.values()
    return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (extents.next().value ?? 1)))
  },
})
