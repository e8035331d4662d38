/**
 * Place: X as some channels of a larger feature map, from `first` on: what of a concat its producers could not write in place themselves
 * (graph/place.ts). The map's other channels are other ops'.
 */
import { z } from 'zod'
import { requireDType, requireInput, requireRank } from '../checks.ts'
import { dimensionsOf, layoutField, layoutStrides } from '../layout.ts'
import { copyDispatch } from '../movement/copy.ts'
import { inputRef, outputRef, planOf } from '../movement/linear.ts'
import { exactly } from '../movement/reference.ts'
import type { OpDefinition } from '../op.ts'
import { placedReference, placedType, placeOf } from '../place.ts'
import { sizeOf } from '../../tensor/shape.ts'

const attributes = z.strictObject({
  layout: layoutField,
  channels: z.number().int().min(1),
  first: z.number().int().min(0),
})
export type PlaceAttributes = z.infer<typeof attributes>

export const place: OpDefinition<PlaceAttributes> = {
  name: 'place',
  attributes,
  hostInputs: [],
  infer({ inputs, attributes: { layout, ...own } }) {
    const x = requireInput('place', inputs, 0, 'X')
    requireDType('place', 'X', x, ['f32', 'f16'])
    requireRank('place', 'X', x, layout === 'nchw4' ? 4 : 3, Infinity)
    return [placedType('place', x, dimensionsOf(x.shape, layout).channels, layout, own)]
  },
  reference(inputs, { layout, ...own }) {
    const x = requireInput('place', inputs, 0, 'X')
    return [placedReference(exactly(x), dimensionsOf(x.shape, layout).channels, layout, own)]
  },
  plan({ inputs, outputs, attributes: { layout, ...own } }) {
    const x = requireInput('place', inputs, 0, 'X')
    const { batch, channels, extents } = dimensionsOf(x.shape, layout)
    const plane: [number, number, number] = [1, 1, sizeOf(extents)]
    const from = layoutStrides(layout, channels, plane)
    const { strides: to, offset } = placeOf(layout, channels, plane, own)
    // What of a picture follows one another in both: a row of channels, or all planes.
    const [rows, length, p, q] = layout === 'nhwc' ? [plane[2], channels, from.x, to.x] : [1, from.picture, 0, 0]
    const nest = {
      extents: [batch, rows, length],
      strides: [
        [from.picture, p, 1],
        [to.picture, q, 1],
      ],
      offsets: [0, offset],
    } as const
    const dispatch = copyDispatch('place', nest, { type: x, ref: inputRef(0) }, { type: outputs[0] ?? x, ref: outputRef() })
    return planOf(`place: a copy to channels ${own.first} to ${own.first + channels - 1} of ${own.channels}`, [dispatch])
  },
  flops: () => 0,
}
