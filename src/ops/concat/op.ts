/** Concat: any number of tensors, one after another along `axis`. Any dtype. */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { formatShape, normalizeAxis } from '../../tensor/shape.ts'
import type { HostTensor, TensorType } from '../../tensor/tensor.ts'
import { requireInput, requireRank, requireSameDType } from '../checks.ts'
import type { OpDefinition } from '../op.ts'
import { concatPlan } from './plan.ts'
import { concatReference } from './reference.ts'

const attributes = z.strictObject({ axis: z.number().int() })

/** All inputs; none may be absent. @throws ShapeError. */
function present<T extends TensorType | HostTensor>(inputs: readonly (T | null)[]): T[] {
  if (inputs.length === 0) throw new ShapeError('There is nothing to join', { op: 'concat' })
  return inputs.map((_, index) => requireInput('concat', inputs, index, `inputs_${index}`))
}

export const concat: OpDefinition<z.infer<typeof attributes>> = {
  name: 'concat',
  attributes,
  hostInputs: [],
  infer({ inputs, attributes: { axis } }) {
    const first = requireInput('concat', inputs, 0, 'inputs_0')
    requireRank('concat', 'inputs_0', first, 1, Infinity)
    const along = normalizeAxis(axis, first.shape.length)
    const all = present(inputs)
    all.forEach((type, index) => {
      requireSameDType('concat', `inputs_${index}`, type, first)
      if (type.shape.length === first.shape.length && type.shape.every((extent, i) => i === along || extent === first.shape[i]))
        return
      throw new ShapeError(`Input ${index} has shape ${formatShape(type.shape)}, which does not join ${formatShape(first.shape)}`, {
        op: 'concat',
        shape: type.shape,
        axis: along,
        remedy: 'All extents but that of the axis must be equal',
      })
    })
    const length = all.reduce((sum, { shape }) => sum + (shape[along] ?? 0), 0)
    return [{ dtype: first.dtype, shape: first.shape.map((extent, i) => (i === along ? length : extent)) }]
  },
  reference: (inputs, { axis }) => [concatReference(present(inputs), axis)],
  plan({ inputs, outputs, attributes: { axis } }) {
    const all = present(inputs)
    return concatPlan(all, outputs[0] ?? requireInput('concat', inputs, 0, 'inputs_0'), axis)
  },
  flops: () => 0,
}
