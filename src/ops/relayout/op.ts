/**
 * Relayout: a feature map of layout `from` in layout `to` (src/ops/layout.ts); the layout pass puts it where two layouts meet. `channels`
 * says how many there are of the places that nchw4 has (default: all). Float dtypes and any other that is copied as it is.
 */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { allocate } from '../../tensor/dtype.ts'
import { formatShape, sizeOf, stridesOf } from '../../tensor/shape.ts'
import { HostTensor, type TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireInput, requireRank } from '../checks.ts'
import { moveLayout } from '../conv2d/layouts.ts'
import { dimensionsOf, layoutShape, LAYOUTS, layoutStrides, type Layout } from '../layout.ts'
import { copyDispatch } from '../movement/copy.ts'
import { aliasPlan, inputRef, outputRef, planOf } from '../movement/linear.ts'
import { exactly } from '../movement/reference.ts'
import { isContiguous, type Nest } from '../movement/strides.ts'
import type { InferContext, OpDefinition } from '../op.ts'
import { numbersOf } from '../values.ts'

const layout = z.enum(LAYOUTS)
const attributes = z.strictObject({ from: layout, to: layout, channels: z.number().int().min(0).optional() })
export type RelayoutAttributes = z.infer<typeof attributes>

interface Sizes {
  readonly batch: number
  readonly channels: number
  readonly extents: readonly number[]
}

function sizesOf({ inputs, attributes: given }: Pick<InferContext<RelayoutAttributes>, 'inputs' | 'attributes'>): Sizes {
  const x = requireInput('relayout', inputs, 0, 'X')
  requireRank('relayout', 'X', x, given.from === 'nchw4' ? 4 : 3, given.from === 'nchw4' ? 6 : 5)
  const { batch, channels: places, extents } = dimensionsOf(x.shape, given.from)
  const channels = given.channels ?? places
  const fits = given.from === 'nchw4' ? 4 * Math.ceil(channels / 4) === places && x.shape.at(-1) === 4 : channels === places
  if (!fits) {
    throw new ShapeError(`X ${formatShape(x.shape)} is no feature map of ${channels} channels in ${given.from}`, {
      op: 'relayout',
      shape: x.shape,
    })
  }
  return { batch, channels, extents }
}

/** The positions of a picture are copied alike, so they are one axis. */
function planeOf(extents: readonly number[]): readonly [number, number, number] {
  return [1, 1, sizeOf(extents)]
}

interface Axis {
  readonly extent: number
  readonly p: number
  readonly q: number
}

/** The nests that copy all channels: one where channels are an axis of both layouts, else whole quads and the last that is none. */
function nestsOf({ batch, channels, extents }: Sizes, from: Layout, to: Layout): Nest[] {
  const plane = planeOf(extents)
  const [p, q] = [layoutStrides(from, channels, plane), layoutStrides(to, channels, plane)]
  const nest = (first: number, axes: readonly Axis[]): Nest => {
    // In the order of what is written.
    const all = [...axes, { extent: plane[2], p: p.x, q: q.x }].toSorted((one, other) => other.q - one.q)
    return {
      extents: [batch, ...all.map(({ extent }) => extent)],
      strides: [
        [p.picture, ...all.map((axis) => axis.p)],
        [q.picture, ...all.map((axis) => axis.q)],
      ],
      offsets: [(first / 4) * p.quad, (first / 4) * q.quad],
    }
  }
  if (from !== 'nchw4' && to !== 'nchw4') return [nest(0, [{ extent: channels, p: p.channel, q: q.channel }])]
  const whole = Math.floor(channels / 4)
  const quads: Axis = { extent: whole, p: p.quad, q: q.quad }
  const each = (extent: number): Axis => ({ extent, p: p.channel, q: q.channel })
  return [...(whole > 0 ? [nest(0, [quads, each(4)])] : []), ...(channels % 4 > 0 ? [nest(4 * whole, [each(channels % 4)])] : [])]
}

export const relayout: OpDefinition<RelayoutAttributes> = {
  name: 'relayout',
  attributes,
  hostInputs: [],
  infer(context) {
    const x = requireInput('relayout', context.inputs, 0, 'X')
    requireDType('relayout', 'X', x, ['f32', 'f16', 'i32', 'u32', 'i8', 'u8', 'bool'])
    const { batch, channels, extents } = sizesOf(context)
    return [{ dtype: x.dtype, shape: layoutShape(context.attributes.to, batch, channels, extents) }]
  },
  reference(inputs, given) {
    const x = requireInput('relayout', inputs, 0, 'X')
    const { from, to } = given
    const { batch, channels, extents } = sizesOf({ inputs, attributes: given })
    const shape = layoutShape(to, batch, channels, extents)
    const sizes = { batch, channels, extents: planeOf(extents) }
    const values = allocate(x.dtype, sizeOf(shape))
    if (values instanceof BigInt64Array) throw new TypeError('Feature maps of i64 have no layouts')
    moveLayout(numbersOf(x), from, values, to, sizes)
    const tensor = new HostTensor(x.dtype, shape, values)
    if (to !== 'nchw4' || channels % 4 === 0) return [exactly(tensor)]
    // What lies at channels past the last is nobody's.
    const bound = new Float64Array(values.length).fill(Infinity)
    moveLayout(new Float64Array(batch * channels * sizeOf(extents)), 'nchw', bound, to, sizes)
    return [{ tensor, tolerance: { kind: 'bound', bound } }]
  },
  plan({ inputs, outputs, attributes: { from, to, channels: given } }) {
    const x = requireInput('relayout', inputs, 0, 'X')
    const y: TensorType = outputs[0] ?? x
    const sizes = sizesOf({ inputs, attributes: { from, to, ...(given === undefined ? {} : { channels: given }) } })
    const nests = nestsOf(sizes, from, to)
    const [first] = nests
    const isWhole = nests.length === 1 && sizeOf(x.shape) === sizeOf(y.shape)
    if (from === to || (isWhole && first !== undefined && keepsPlaces(first))) {
      return aliasPlan(`${from} to ${to} moves no element: alias`)
    }
    const dispatches = nests.map((nest) =>
      copyDispatch('relayout', nest, { type: x, ref: inputRef(0) }, { type: y, ref: outputRef() }),
    )
    return planOf(`${from} to ${to}: transpose`, dispatches)
  },
  flops: () => 0,
}

function keepsPlaces(nest: Nest): boolean {
  const own = stridesOf(nest.extents)
  // Strides of axes with one element are never walked.
  const same = nest.strides[1].every((stride, axis) => (nest.extents[axis] ?? 1) === 1 || stride === own[axis])
  return same && isContiguous(nest)
}
