/** Sum of one or more tensors with broadcasting. */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { broadcastShapes, sizeOf } from '../../tensor/shape.ts'
import type { HostTensor, TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireInput, requireSameDType } from '../checks.ts'
import { NUMERIC } from '../elementwise/dtypes.ts'
import type { OpDefinition } from '../op.ts'
import { sumPlan } from './plan.ts'
import { sumReference } from './reference.ts'

/** All inputs; none may be absent. @throws ShapeError. */
function present<T extends TensorType | HostTensor>(inputs: readonly (T | null)[]): T[] {
  if (inputs.length === 0) throw new ShapeError('There is nothing to add', { op: 'sum' })
  return inputs.map((_, index) => requireInput('sum', inputs, index, `data_${index}`))
}

export const sum: OpDefinition<Record<string, never>> = {
  name: 'sum',
  attributes: z.strictObject({}),
  hostInputs: [],
  infer({ inputs }) {
    const all = present(inputs)
    const first = requireInput('sum', inputs, 0, 'data_0')
    all.forEach((type, index) => {
      requireDType('sum', `data_${index}`, type, NUMERIC)
      requireSameDType('sum', `data_${index}`, type, first)
    })
    return [{ dtype: first.dtype, shape: broadcastShapes(...all.map(({ shape }) => shape)) }]
  },
  reference: (inputs) => [sumReference(present(inputs))],
  plan: ({ inputs, outputs }) => sumPlan(present(inputs), outputs[0] ?? requireInput('sum', inputs, 0, 'data_0')),
  flops: ({ inputs, outputs }) => Math.max(inputs.length - 1, 0) * sizeOf(outputs[0]?.shape ?? [0]),
}
