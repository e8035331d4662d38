/**
 * Clip: min(max(x, low), high), so that high wins where low > high. Bounds are scalar inputs 1 and 2 (opset 11 on), or attributes
 * `min` and `max` (before); an absent bound does not bind.
 */
import { z } from 'zod'
import { OptionError } from '../../errors.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { requireDType, requireInput, requireRank, requireSameDType } from '../checks.ts'
import { anyNumber, NUMERIC } from '../elementwise/dtypes.ts'
import type { InferContext, OpDefinition } from '../op.ts'
import { clipPlan } from './plan.ts'
import { clipReference } from './reference.ts'
import type { Bound } from './rule.ts'

const attributes = z.strictObject({ min: anyNumber.optional(), max: anyNumber.optional() })
export type ClipAttributes = z.infer<typeof attributes>

/** [low, high] of the inputs, else of the attributes. @throws OptionError when both or neither of them tell. */
function boundsOf(values: InferContext<ClipAttributes>['values'], { min, max }: ClipAttributes): [Bound, Bound] {
  const bound = (index: number, name: string, attribute: number | undefined): Bound => {
    const input = values[index]
    if (input === null || input === undefined) return attribute
    if (attribute !== undefined) throw new OptionError(`${name} is given as an input and as an attribute`, { op: 'clip' })
    return input.values[0]
  }
  return [bound(1, 'min', min), bound(2, 'max', max)]
}

export const clip: OpDefinition<ClipAttributes> = {
  name: 'clip',
  attributes,
  hostInputs: [1, 2],
  infer({ inputs, values, attributes: given }) {
    const x = requireInput('clip', inputs, 0, 'input')
    requireDType('clip', 'input', x, NUMERIC)
    for (const [index, name] of [
      [1, 'min'],
      [2, 'max'],
    ] as const) {
      const bound = inputs[index]
      if (bound === null || bound === undefined) continue
      requireSameDType('clip', name, bound, x)
      requireRank('clip', name, { ...bound, shape: bound.shape.filter((extent) => extent !== 1) }, 0, 0)
      if (values[index] === null || values[index] === undefined) {
        throw new OptionError(`The value of input ${name} is not known`, {
          op: 'clip',
          remedy: 'Make it a constant or feed it as a host tensor',
        })
      }
    }
    boundsOf(values, given)
    return [{ dtype: x.dtype, shape: x.shape }]
  },
  reference(inputs, given) {
    return [clipReference(requireInput('clip', inputs, 0, 'input'), ...boundsOf(inputs, given))]
  },
  plan({ inputs, values, attributes: given }) {
    return clipPlan(requireInput('clip', inputs, 0, 'input'), ...boundsOf(values, given))
  },
  flops: ({ outputs }) => 2 * sizeOf(outputs[0]?.shape ?? [0]),
}
