/**
 * Results in place: an op that writes its result as some channels of a larger feature map, so that nothing has to be copied to join them.
 * What the op returns then has the larger map's shape, and what lies in its other channels is other ops'.
 *
 *     Y [N, …, channels]     |  others'  |  first … first + own  |  others'  |
 */
import { z } from 'zod'
import { ShapeError } from '../errors.ts'
import { allocate } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import { HostTensor, type TensorType } from '../tensor/tensor.ts'
import { dimensionsOf, layoutShape, layoutStrides, type Layout, type LayoutStrides } from './layout.ts'
import type { ReferenceOutput, Tolerance } from './op.ts'
import { numbersOf } from './values.ts'

/** The attribute: channels of the larger map, and which of them is the first of the op's own. */
export const placeField = z.strictObject({ channels: z.number().int().min(1), first: z.number().int().min(0) }).optional()
export interface Place {
  readonly channels: number
  readonly first: number
}

/**
 * The type of the larger map. @param own the op's own result, of `channels` channels
 * @throws ShapeError where the channels do not fit in, or begin within a quad of nchw4
 */
export function placedType(op: string, own: TensorType, channels: number, layout: Layout, place: Place | undefined): TensorType {
  if (place === undefined) return own
  const { batch, extents } = dimensionsOf(own.shape, layout)
  const isQuad = layout !== 'nchw4' || (place.first % 4 === 0 && (channels % 4 === 0 || place.first + channels === place.channels))
  if (place.first + channels > place.channels || !isQuad) {
    throw new ShapeError(`${channels} channels from ${place.first} on are no part of ${place.channels} in ${layout}`, {
      op,
      shape: own.shape,
    })
  }
  return { dtype: own.dtype, shape: layoutShape(layout, batch, place.channels, extents) }
}

/** Where a result lies, placed or not: strides of the map, and the first of its elements. */
export function placeOf(
  layout: Layout,
  channels: number,
  extents: readonly [number, number, number],
  place: Place | undefined,
): { strides: LayoutStrides; offset: number } {
  const strides = layoutStrides(layout, place?.channels ?? channels, extents)
  const first = place?.first ?? 0
  return { strides, offset: Math.floor(first / 4) * strides.quad + (first % 4) * strides.channel }
}

/** A reference's result within the larger map: what lies in other channels is not compared. */
export function placedReference(
  output: ReferenceOutput,
  channels: number,
  layout: Layout,
  place: Place | undefined,
): ReferenceOutput {
  if (place === undefined) return output
  const { tensor, tolerance } = output
  const { shape } = placedType('reference', tensor, channels, layout, place)
  const { batch, extents } = dimensionsOf(tensor.shape, layout)
  const plane: [number, number, number] = [1, 1, sizeOf(extents)]
  const from = layoutStrides(layout, channels, plane)
  const to = placeOf(layout, channels, plane, place)
  const embed = (source: ArrayLike<number>, target: { [index: number]: number }): void => {
    for (let n = 0; n < batch; n++) {
      for (let c = 0; c < channels; c++) {
        const [p, q] = [from, to.strides].map(
          ({ picture, quad, channel }) => n * picture + Math.floor(c / 4) * quad + (c % 4) * channel,
        )
        for (let x = 0; x < plane[2]; x++) target[to.offset + (q ?? 0) + x * to.strides.x] = source[(p ?? 0) + x * from.x] ?? NaN
      }
    }
  }
  const values = allocate(tensor.dtype, sizeOf(shape))
  if (values instanceof BigInt64Array) throw new TypeError('Feature maps of i64 are not placed')
  embed(numbersOf(tensor), values)
  const exact = new Float64Array(values.length)
  embed(output.exact ?? numbersOf(tensor), exact)
  const bound = new Float64Array(values.length).fill(Infinity)
  const own: Extract<Tolerance, { kind: 'bound' }> =
    tolerance.kind === 'bound' ? tolerance : { kind: 'bound', bound: new Float64Array(sizeOf(tensor.shape)) }
  embed(own.bound, bound)
  return { tensor: new HostTensor(tensor.dtype, shape, values), exact, tolerance: { ...own, bound } }
}
