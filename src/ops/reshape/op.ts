/**
 * Reshape: input 1 is the new shape. −1 (once) takes what is left; 0 keeps the extent of that axis, or with `allowzero` means an
 * empty axis.
 */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.ts'
import { aliasOp } from '../movement/alias-op.ts'
import { requireIntegers } from '../movement/integers.ts'

export const reshape = aliasOp({
  name: 'reshape',
  attributes: z.strictObject({ allowzero: z.boolean().default(false) }),
  hostInputs: [1],
  shapeOf(shape, { inputs, values, attributes: { allowzero } }) {
    return resolveShape(shape, requireIntegers('reshape', 'shape', inputs, values, 1), allowzero)
  },
})

/** The shape that `target` asks of a tensor of `shape`. @throws ShapeError when it asks for too much. */
export function resolveShape(shape: Shape, target: readonly number[], allowzero: boolean): number[] {
  const fail = (message: string): never => {
    throw new ShapeError(`${message} in the target ${formatShape(target)}`, { op: 'reshape', shape })
  }
  if (target.filter((extent) => extent === -1).length > 1) fail('More than one -1')
  if (allowzero && target.includes(0) && target.includes(-1)) fail('Both 0 and -1, with allowzero,')
  const kept = target.map((extent, axis) => {
    if (extent < -1) return fail(`Extent ${extent}`)
    if (extent !== 0 || allowzero) return extent
    return shape[axis] ?? fail(`A 0 at axis ${axis}, which the input does not have,`)
  })
  const known = sizeOf(kept.filter((extent) => extent !== -1))
  const rest = known === 0 ? 0 : sizeOf(shape) / known
  if (kept.includes(-1) && (known === 0 || !Number.isInteger(rest))) {
    fail(`${sizeOf(shape)} elements do not divide by ${known} for the -1`)
  }
  return kept.map((extent) => (extent === -1 ? rest : extent))
}
