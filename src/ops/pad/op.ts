/**
 * Pad: inputs data, pads (begins, then ends), constant_value, axes. Negative pads crop. Modes: `constant`; `edge` repeats the border;
 * `reflect` mirrors without repeating it; `wrap` goes on at the other end. Any dtype.
 */
import { OptionError, ShapeError } from '../../errors.ts'
import type { HostTensor } from '../../tensor/tensor.ts'
import { requireInput, requireSameDType } from '../checks.ts'
import { exactly } from '../movement/reference.ts'
import type { OpDefinition } from '../op.ts'
import { padPlan } from './plan.ts'
import { padReference } from './reference.ts'
import { attributes, paddedShape, padsOf, type PadAttributes } from './rule.ts'

/** The value between the input and the new border. */
function fillOf(value: HostTensor | null | undefined): number | bigint {
  if (value === null || value === undefined) return 0
  if (value.values.length !== 1)
    throw new ShapeError('Input constant_value should be one element', { op: 'pad', shape: value.shape })
  return value.values[0] ?? 0
}

export const pad: OpDefinition<PadAttributes> = {
  name: 'pad',
  attributes,
  hostInputs: [1, 2, 3],
  infer(context) {
    const x = requireInput('pad', context.inputs, 0, 'data')
    const value = context.inputs[2]
    if (value !== null && value !== undefined) {
      requireSameDType('pad', 'constant_value', value, x)
      if (context.values[2] === null || context.values[2] === undefined) {
        throw new OptionError('The value of input constant_value is not known', {
          op: 'pad',
          remedy: 'Make it a constant or feed it as a host tensor',
        })
      }
      fillOf(context.values[2])
    }
    return [{ dtype: x.dtype, shape: paddedShape(x.shape, padsOf(context, x.shape), context.attributes.mode) }]
  },
  reference(inputs, { mode }) {
    const x = requireInput('pad', inputs, 0, 'data')
    const pads = padsOf({ inputs, values: inputs }, x.shape)
    return [exactly(padReference(x, paddedShape(x.shape, pads, mode), pads.begins, mode, fillOf(inputs[2])))]
  },
  plan(context) {
    const x = requireInput('pad', context.inputs, 0, 'data')
    return padPlan(x, context.outputs[0] ?? x, padsOf(context, x.shape), context.attributes.mode, fillOf(context.values[2]))
  },
  flops: () => 0,
}
