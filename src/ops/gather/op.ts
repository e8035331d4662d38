/**
 * Gather: slices of the data along `axis`, one for each index (i32 or i64, negative ones counting from the end). Any dtype of data.
 * An index out of range is an error on the host; a kernel cannot raise one, and writes NaN there (0 for integers).
 */
import { z } from 'zod'
import { normalizeAxis } from '../../tensor/shape.ts'
import { requireDType, requireInput, requireRank } from '../checks.ts'
import { exactly } from '../movement/reference.ts'
import type { OpDefinition } from '../op.ts'
import { gatherPlan } from './plan.ts'
import { gatherReference } from './reference.ts'

const attributes = z.strictObject({ axis: z.number().int().default(0) })

export const gather: OpDefinition<z.infer<typeof attributes>> = {
  name: 'gather',
  attributes,
  hostInputs: [],
  infer({ inputs, attributes: { axis } }) {
    const x = requireInput('gather', inputs, 0, 'data')
    const indices = requireInput('gather', inputs, 1, 'indices')
    requireRank('gather', 'data', x, 1, Infinity)
    requireDType('gather', 'indices', indices, ['i64', 'i32'])
    const along = normalizeAxis(axis, x.shape.length)
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, along), ...indices.shape, ...x.shape.slice(along + 1)] }]
  },
  reference(inputs, { axis }) {
    const x = requireInput('gather', inputs, 0, 'data')
    return [exactly(gatherReference(x, requireInput('gather', inputs, 1, 'indices'), normalizeAxis(axis, x.shape.length)))]
  },
  plan({ inputs, outputs, attributes: { axis } }) {
    const x = requireInput('gather', inputs, 0, 'data')
    return gatherPlan(x, requireInput('gather', inputs, 1, 'indices'), outputs[0] ?? x, normalizeAxis(axis, x.shape.length))
  },
  flops: () => 0,
}
