/** Shape: the extents of axes `start` … `end` − 1 of the input, as i64; out-of-range bounds are clamped. */
import { z } from 'zod'
import listBody from '../../../shaders/movement/list.wgsl?raw'
import type { Shape } from '../../tensor/shape.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import { requireInput } from '../checks.ts'
import { linearDispatch, outputRef, planOf } from '../movement/linear.ts'
import { exactly } from '../movement/reference.ts'
import type { OpDefinition } from '../op.ts'

const attributes = z.strictObject({ start: z.number().int().default(0), end: z.number().int().optional() })
export type ShapeAttributes = z.infer<typeof attributes>

/** As many extents as one dispatch of list.wgsl writes. */
const LIST = 8

/** The extents that are asked for: slice counts negative bounds from the end and clamps, as ONNX does. */
function extentsOf(shape: Shape, { start, end }: ShapeAttributes): number[] {
  return shape.slice(start, end)
}

export const shape: OpDefinition<ShapeAttributes> = {
  name: 'shape',
  attributes,
  hostInputs: [],
  infer({ inputs, attributes: given }) {
    return [{ dtype: 'i64', shape: [extentsOf(requireInput('shape', inputs, 0, 'data').shape, given).length] }]
  },
  reference(inputs, given) {
    const extents = extentsOf(requireInput('shape', inputs, 0, 'data').shape, given)
    return [exactly(new HostTensor('i64', [extents.length], BigInt64Array.from(extents, BigInt)))]
  },
  plan({ inputs, outputs, attributes: given }) {
    const x = requireInput('shape', inputs, 0, 'data')
    const extents = extentsOf(x.shape, given)
    const dispatches = Array.from({ length: Math.ceil(extents.length / LIST) }, (_, index) => {
      const part = extents.slice(index * LIST, (index + 1) * LIST)
      const names = Array.from({ length: LIST }, (__, i) => `value_${i}`)
      return linearDispatch(part.length, {
        name: 'movement/list',
        body: [listBody],
        operands: [{ name: 'y', type: outputs[0] ?? x, access: 'write', ref: outputRef() }],
        params: Object.fromEntries(['first', ...names].map((name) => [name, 'u32'] as const)),
        values: { first: index * LIST, ...Object.fromEntries(names.map((name, i) => [name, part[i] ?? 0])) },
      })
    })
    return planOf('shape: known beforehand, written as it is', dispatches)
  },
  flops: () => 0,
}
