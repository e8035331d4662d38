/**
 * Pad: inputs data, pads (begins, then ends), constant_value, axes. Negative pads crop. Modes: `constant`; `edge` repeats the border;
 * `reflect` mirrors without repeating it; `wrap` goes on at the other end. Any dtype.
 */
import { z } from 'zod'
import { OptionError, ShapeError } from '../../errors.ts'
import type { HostTensor } from '../../tensor/tensor.ts'
import type { Shape } from '../../tensor/shape.ts'
import { requireInput, requireSameDType } from '../checks.ts'
import { distinctAxes, integersAt, requireIntegers, sameLength } from '../movement/integers.ts'
import { exactly } from '../movement/reference.ts'
import type { InferContext, OpDefinition } from '../op.ts'
import { padPlan } from './plan.ts'
import { padReference } from './reference.ts'

export const PAD_MODES = ['constant', 'edge', 'reflect', 'wrap'] as const
export type PadMode = (typeof PAD_MODES)[number]

const attributes = z.strictObject({ mode: z.enum(PAD_MODES).default('constant') })
export type PadAttributes = z.infer<typeof attributes>

/** Elements added (or, negative, removed) before and after each axis of the input. */
export interface Pads {
  readonly begins: readonly number[]
  readonly ends: readonly number[]
}

function padsOf({ inputs, values }: Pick<InferContext<PadAttributes>, 'inputs' | 'values'>, shape: Shape): Pads {
  const pads = requireIntegers('pad', 'pads', inputs, values, 1)
  const given = integersAt('pad', 'axes', inputs, values, 3) ?? shape.map((_, axis) => axis)
  const axes = distinctAxes('pad', given, shape.length)
  sameLength('pad', 'pads', pads, 'twice the axes', 2 * axes.length)
  const spread = (list: readonly number[]): number[] => shape.map((_, axis) => list[axes.indexOf(axis)] ?? 0)
  return { begins: spread(pads.slice(0, axes.length)), ends: spread(pads.slice(axes.length)) }
}

function paddedShape(shape: Shape, { begins, ends }: Pads, mode: PadMode): number[] {
  return shape.map((extent, axis) => {
    const [begin, end] = [begins[axis] ?? 0, ends[axis] ?? 0]
    const padded = extent + begin + end
    if (padded < 0) throw new ShapeError(`Pads ${begin} and ${end} remove more than axis ${axis} has`, { op: 'pad', shape })
    if (extent === 0 && padded > 0 && mode !== 'constant') {
      throw new ShapeError(`Axis ${axis} is empty, so that mode ${mode} has nothing to repeat`, { op: 'pad', shape })
    }
    return padded
  })
}

/** The value between the input and the new border. */
function fillOf(value: HostTensor | null | undefined): number | bigint {
  if (value === null || value === undefined) return 0
  if (value.values.length !== 1) throw new ShapeError('Input constant_value should be one element', { op: 'pad', shape: value.shape })
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
        throw new OptionError('The value of input constant_value is not known', { op: 'pad', remedy: 'Make it a constant or feed it as a host tensor' })
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
