/** What max and average pooling share: attributes, sizes, the loop over windows on the CPU, and the params of their kernels. */
import { z } from 'zod'
import { OptionError, ShapeError, UnsupportedOpError } from '../../errors.ts'
import { formatShape } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireRank } from '../checks.ts'
import { dimensionsOf, layoutField, layoutShape, type Layout } from '../layout.ts'
import { placedType, placeField, type Place } from '../place.ts'
import { flag, windowAxes, windowFields, type WindowAttributes, type WindowAxis } from '../window.ts'

const positive = z.number().int().min(1)

export const poolFields = {
  ...windowFields,
  /** Window size: one number for all axes, or one per axis. */
  kernel: z.union([positive, z.array(positive)]),
  /** Rounds the number of windows up: the last may reach beyond the padding. */
  ceilMode: flag,
  /** How X and Y lie. */
  layout: layoutField,
  /** Y is some channels of a larger map, which others write as well. */
  place: placeField,
}

export interface PoolAttributes extends WindowAttributes {
  readonly kernel: number | readonly number[]
  readonly ceilMode: boolean
  readonly layout: Layout
  readonly place?: Place | undefined
}

export type PoolAxes = readonly [WindowAxis, WindowAxis, WindowAxis]

export interface PoolSizes {
  readonly layout: Layout
  /** Of all pictures. */
  readonly planes: number
  /** Of one picture; in nchw4 in whole quads. */
  readonly channels: number
  /** Three spatial axes, the missing first ones of extent 1. */
  readonly axes: PoolAxes
  /** Of Y by itself, in its layout. */
  readonly shape: readonly number[]
  readonly place?: Place
}

/** The type of Y, or of the larger map that it is placed in. @throws ShapeError, OptionError */
export function pooledType(op: string, { dtype }: TensorType, { layout, planes, channels, shape, place }: PoolSizes): TensorType {
  if (place !== undefined && layout !== 'nhwc' && planes > channels) {
    throw new OptionError(`Results of several pictures are placed in nhwc alone, not in ${layout}`, { op, shape })
  }
  return placedType(op, { dtype, shape }, channels, layout, place)
}

const ONE: WindowAxis = { input: 1, kernel: 1, stride: 1, dilation: 1, before: 0, after: 0, output: 1 }

/** @throws ShapeError when x and the attributes do not fit; UnsupportedOpError for more than three spatial axes */
export function poolSizes(op: string, x: TensorType, attributes: PoolAttributes): PoolSizes {
  requireRank(op, 'X', x, 3, Infinity)
  const { kernel, layout } = attributes
  const { batch, channels, extents } = dimensionsOf(x.shape, layout)
  if (extents.length < 1 || (layout === 'nchw4' && x.shape.at(-1) !== 4)) {
    throw new ShapeError(`X ${formatShape(x.shape)} is no feature map in ${layout}`, { op, shape: x.shape })
  }
  if (extents.length > 3) {
    throw new UnsupportedOpError(`Pooling over ${extents.length} spatial axes is not supported`, {
      op,
      shape: x.shape,
      remedy: 'Pool over one to three axes',
    })
  }
  const sizes = typeof kernel === 'number' ? extents.map(() => kernel) : kernel
  const axes = windowAxes(op, extents, sizes, attributes, attributes.ceilMode)
  const [a = ONE, b = ONE, c = ONE] = [...Array.from({ length: 3 - axes.length }, () => ONE), ...axes]
  const outputs = axes.map(({ output }) => output)
  return {
    ...{ layout, planes: batch * channels, channels, axes: [a, b, c] },
    ...(attributes.place === undefined ? {} : { place: attributes.place }),
    shape: layoutShape(layout, batch, channels, outputs),
  }
}

/** Positions of the input under window `at` of an axis, padding left out. */
function covered({ input, kernel, stride, dilation, before }: WindowAxis, at: number): number[] {
  const start = at * stride - before
  return Array.from({ length: kernel }, (_, k) => start + k * dilation).filter((position) => position >= 0 && position < input)
}

/** One window of one plane: calls `visit` for each position of the input that it covers, in order. */
export interface Window {
  /** Index of the output, and the index of each window along its axis. */
  readonly output: number
  readonly at: readonly [number, number, number]
  /** Flat indices into the input, in order. */
  readonly positions: readonly number[]
}

/** Calls `visit` for every window of every plane, in the order of the outputs in nchw. */
export function forEachWindow({ planes, axes }: PoolSizes, visit: (window: Window) => void): void {
  const [a, b, c] = axes
  const [coverA, coverB, coverC] = axes.map((axis) => Array.from({ length: axis.output }, (_, at) => covered(axis, at)))
  let output = 0
  for (let plane = 0; plane < planes; plane++) {
    for (let i = 0; i < a.output; i++) {
      for (let j = 0; j < b.output; j++) {
        for (let k = 0; k < c.output; k++) {
          const positions: number[] = []
          for (const y of coverA?.[i] ?? []) {
            for (const x of coverB?.[j] ?? []) {
              const line = ((plane * a.input + y) * b.input + x) * c.input
              for (const z of coverC?.[k] ?? []) positions.push(line + z)
            }
          }
          visit({ output, at: [i, j, k], positions })
          output++
        }
      }
    }
  }
}

/** Sizes of the three axes as kernel params: in0, out0, kernel0, …; all u32. */
export function axisParams(axes: PoolAxes): Record<string, number> {
  const params: Record<string, number> = {}
  axes.forEach(({ input, output, kernel, stride, dilation, before, after }, axis) => {
    const named = { in: input, out: output, kernel, stride, dilation, before, after }
    for (const [name, value] of Object.entries(named)) params[`${name}${axis}`] = value
  })
  return params
}

/** Values under all windows: additions or comparisons. */
export function windowVolume({ planes, axes }: PoolSizes): number {
  return axes.reduce((product, { output, kernel }) => product * output * kernel, planes)
}
