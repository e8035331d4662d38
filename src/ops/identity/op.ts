/** Identity: the input itself. */
import { z } from 'zod'
import { aliasOp } from '../movement/alias-op.ts'

export const identity = aliasOp<Record<string, never>>({
  name: 'identity',
  attributes: z.strictObject({}),
  shapeOf: (shape) => shape,
})
