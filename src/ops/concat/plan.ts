/** One strided copy for each input that is not empty, so that any number of inputs fits any device's bindings. */
import type { OpPlan } from '../../gpu/program.ts'
import { normalizeAxis, sizeOf, stridesOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { copyDispatch } from '../movement/copy.ts'
import { aliasPlan, inputRef, outputRef, planOf } from '../movement/linear.ts'

export function concatPlan(inputs: readonly TensorType[], y: TensorType, axis: number): OpPlan {
  if (inputs.length === 1) return aliasPlan('one input: alias')
  const along = normalizeAxis(axis, y.shape.length)
  const strides = stridesOf(y.shape)
  let start = 0
  const dispatches = inputs.flatMap((type, index) => {
    const offset = start * (strides[along] ?? 0)
    start += type.shape[along] ?? 0
    if (sizeOf(type.shape) === 0) return []
    const nest = { extents: type.shape, strides: [stridesOf(type.shape), strides], offsets: [0, offset] } as const
    return [copyDispatch('concat', nest, { type, ref: inputRef(index) }, { type: y, ref: outputRef() })]
  })
  return planOf('concat: a strided copy for each input', dispatches)
}
