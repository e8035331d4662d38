/** Attributes and shape rule of averagePool. */
import { z } from 'zod'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput } from '../checks.ts'
import type { InferContext } from '../op.ts'
import { pooledType, poolFields, poolSizes } from '../pool/window-pool.ts'
import { flag, onnxNames } from '../window.ts'

export const attributes = z.preprocess(
  onnxNames,
  z.strictObject({
    ...poolFields,
    /** Counts the padding in the divisor, but never what a window of ceil mode reaches beyond it. */
    countIncludePad: flag,
  }),
)
export type AveragePoolAttributes = z.infer<typeof attributes>

/** [N, C, …], in the dtype of X. @throws ShapeError, DtypeError, UnsupportedOpError */
export function infer({ inputs, attributes: given }: InferContext<AveragePoolAttributes>): TensorType[] {
  const x = requireInput('averagePool', inputs, 0, 'X')
  requireDType('averagePool', 'X', x, ['f32', 'f16'])
  const output = pooledType('averagePool', x, poolSizes('averagePool', x, given))
  requireIndexable('averagePool', x, output)
  return [output]
}
