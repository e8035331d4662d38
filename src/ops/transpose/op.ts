/** Transpose: axis i of the result is axis perm[i] of the input; without `perm` the axes are reversed. Any dtype. */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { stridesOf, type Shape } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { viewOp } from '../movement/view-op.ts'

export const transpose = viewOp({
  name: 'transpose',
  attributes: z.strictObject({ perm: z.array(z.number().int()).optional() }),
  viewOf({ inputs, attributes: { perm } }) {
    const { shape } = requireInput('transpose', inputs, 0, 'data')
    const order = permutation(shape, perm)
    const strides = stridesOf(shape)
    return { extents: order.map((axis) => shape[axis] ?? 1), strides: order.map((axis) => strides[axis] ?? 0) }
  },
  sourceOf({ shape }, { attributes: { perm } }) {
    const order = permutation(shape, perm)
    return (coordinate, at) => order.forEach((axis, i) => (at[axis] = coordinate[i] ?? 0))
  },
})

/** The axes in the order of the result. @throws ShapeError unless `perm` names each axis once. */
function permutation(shape: Shape, perm: readonly number[] | undefined): number[] {
  const axes = shape.map((_, axis) => axis)
  if (perm === undefined) return axes.toReversed()
  const order = perm.map((axis) => (axis < 0 ? axis + shape.length : axis))
  if (order.length === shape.length && axes.every((axis) => order.includes(axis))) return order
  throw new ShapeError(`perm ${perm.join(', ')} does not name each axis once`, { op: 'transpose', shape })
}
