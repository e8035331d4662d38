/**
 * Dropout at inference: the identity. Inputs: data, ratio, training_mode. With attribute `mask` a second output says which elements
 * were kept: all of them.
 */
import { z } from 'zod'
import { OptionError, UnsupportedOpError } from '../../errors.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import { requireDType, requireInput } from '../checks.ts'
import { FLOATS } from '../elementwise/dtypes.ts'
import { copyDispatch, wholeNest } from '../movement/copy.ts'
import { fillDispatch } from '../movement/fill.ts'
import { aliasPlan, inputRef, outputRef, planOf } from '../movement/linear.ts'
import { exactly } from '../movement/reference.ts'
import type { InferContext, OpDefinition } from '../op.ts'

const attributes = z.strictObject({ mask: z.boolean().default(false) })
export type DropoutAttributes = z.infer<typeof attributes>

/** @throws UnsupportedOpError where elements would be dropped. */
function refuseTraining({ inputs, values }: Pick<InferContext<DropoutAttributes>, 'inputs' | 'values'>): void {
  const given = (index: number): boolean => inputs[index] !== null && inputs[index] !== undefined
  if (!given(2)) return
  const [ratio, training] = [values[1], values[2]]
  if (training === null || training === undefined) {
    throw new OptionError('The value of input training_mode is not known', {
      op: 'dropout',
      remedy: 'Make it a constant, or feed it as a host tensor',
    })
  }
  const share = given(1) ? ratio?.values[0] : 0.5
  if (Number(training.values[0]) === 0 || Number(share) === 0) return
  throw new UnsupportedOpError('Dropout in training mode is random; only inference is supported', {
    op: 'dropout',
    remedy: 'Set training_mode to false',
  })
}

export const dropout: OpDefinition<DropoutAttributes> = {
  name: 'dropout',
  attributes,
  hostInputs: [1, 2],
  infer({ inputs, values, attributes: { mask } }) {
    const x = requireInput('dropout', inputs, 0, 'data')
    requireDType('dropout', 'data', x, FLOATS)
    refuseTraining({ inputs, values })
    const y = { dtype: x.dtype, shape: x.shape }
    return mask ? [y, { dtype: 'bool', shape: x.shape }] : [y]
  },
  reference(inputs, { mask }) {
    const x = requireInput('dropout', inputs, 0, 'data')
    const kept = (): HostTensor => new HostTensor('bool', x.shape, new Uint8Array(sizeOf(x.shape)).fill(1))
    return mask ? [exactly(x), exactly(kept())] : [exactly(x)]
  },
  plan({ inputs, outputs }) {
    const x = requireInput('dropout', inputs, 0, 'data')
    const [y, mask] = outputs
    if (y === undefined || mask === undefined) return aliasPlan('dropout at inference is the identity: alias')
    const copy = copyDispatch('dropout', wholeNest(x.shape), { type: x, ref: inputRef(0) }, { type: y, ref: outputRef() })
    return planOf('dropout at inference: copy, and a mask of ones', [copy, fillDispatch(mask, outputRef(1), 1)])
  },
  flops: () => 0,
}
