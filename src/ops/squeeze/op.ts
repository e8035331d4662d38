/** Squeeze: drops the given axes of extent 1, or all of them. */
import { ShapeError } from '../../errors.ts'
import { aliasOp } from '../movement/alias-op.ts'
import { axesAttributes, givenAxes } from '../movement/axes.ts'
import { distinctAxes } from '../movement/integers.ts'

export const squeeze = aliasOp({
  name: 'squeeze',
  attributes: axesAttributes,
  hostInputs: [1],
  shapeOf(shape, context) {
    const axes = givenAxes('squeeze', context)
    if (axes === undefined) return shape.filter((extent) => extent !== 1)
    const dropped = distinctAxes('squeeze', axes, shape.length)
    for (const axis of dropped) {
      if (shape[axis] !== 1) throw new ShapeError(`Axis ${axis} has extent ${shape[axis]}, not 1`, { op: 'squeeze', shape })
    }
    return shape.filter((_, axis) => !dropped.includes(axis))
  },
})
