/** Attributes and shape rule of maxPool. */
import { z } from 'zod'
import { UnsupportedOpError } from '../../errors.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput } from '../checks.ts'
import type { InferContext } from '../op.ts'
import { pooledType, poolFields, poolSizes } from '../pool/window-pool.ts'
import { flag, onnxNames } from '../window.ts'

export const attributes = z.preprocess(
  onnxNames,
  z.strictObject({
    ...poolFields,
    /** A second output: where each maximum was, as an i64 position in the flattened input. */
    indices: flag,
    /** How those positions count the spatial axes: 0 row-major, 1 column-major. */
    storageOrder: z.union([z.literal(0), z.literal(1)]).default(0),
  }),
)
export type MaxPoolAttributes = z.infer<typeof attributes>

/** [N, C, …], in the dtype of X, and the i64 indices if asked for. @throws ShapeError, DtypeError, UnsupportedOpError */
export function infer({ inputs, attributes: given }: InferContext<MaxPoolAttributes>): TensorType[] {
  const x = requireInput('maxPool', inputs, 0, 'X')
  requireDType('maxPool', 'X', x, ['f32', 'f16', 'i8', 'u8'])
  if (given.indices && (given.layout !== 'nchw' || given.place !== undefined)) {
    throw new UnsupportedOpError(`Positions of maxima are those in nchw, not in ${given.layout} or in a larger map`, {
      op: 'maxPool',
      shape: x.shape,
      remedy: 'Pool in nchw, or without indices',
    })
  }
  const output = pooledType('maxPool', x, poolSizes('maxPool', x, given))
  requireIndexable('maxPool', x, output)
  return given.indices ? [output, { dtype: 'i64', shape: output.shape }] : [output]
}
