/**
 * Slice: inputs data, starts, ends, axes, steps. Starts and ends count from the end when negative and are clamped to the axis;
 * steps may be negative. Any dtype.
 */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { stridesOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { distinctAxes, integersAt, requireIntegers, sameLength } from '../movement/integers.ts'
import { viewOp } from '../movement/view-op.ts'
import type { InferContext } from '../op.ts'

type Attributes = Record<string, never>

export const slice = viewOp<Attributes>({
  name: 'slice',
  attributes: z.strictObject({}),
  hostInputs: [1, 2, 3, 4],
  viewOf(context) {
    const { shape } = requireInput('slice', context.inputs, 0, 'data')
    const ranges = rangesOf(context)
    const strides = stridesOf(shape)
    return {
      extents: ranges.map(({ count }) => count),
      strides: ranges.map(({ step }, axis) => step * (strides[axis] ?? 0)),
      offset: ranges.reduce((sum, { start }, axis) => sum + start * (strides[axis] ?? 0), 0),
    }
  },
  sourceOf(_, context) {
    const ranges = rangesOf(context)
    return (coordinate, at) => ranges.forEach(({ start, step }, axis) => (at[axis] = start + step * (coordinate[axis] ?? 0)))
  },
})

/** Elements start, start + step, … of an axis. */
export interface Range {
  readonly start: number
  readonly step: number
  readonly count: number
}

/** What is taken of each axis of the input. @throws ShapeError. */
export function rangesOf({ inputs, values }: Pick<InferContext<Attributes>, 'inputs' | 'values'>): Range[] {
  const { shape } = requireInput('slice', inputs, 0, 'data')
  const starts = requireIntegers('slice', 'starts', inputs, values, 1)
  const ends = requireIntegers('slice', 'ends', inputs, values, 2)
  const given = integersAt('slice', 'axes', inputs, values, 3) ?? starts.map((_, index) => index)
  const steps = integersAt('slice', 'steps', inputs, values, 4) ?? starts.map(() => 1)
  sameLength('slice', 'ends', ends, 'starts', starts.length)
  sameLength('slice', 'axes', given, 'starts', starts.length)
  sameLength('slice', 'steps', steps, 'starts', starts.length)
  const axes = distinctAxes('slice', given, shape.length)
  return shape.map((extent, axis) => {
    const index = axes.indexOf(axis)
    if (index < 0) return { start: 0, step: 1, count: extent }
    return rangeOf(extent, starts[index] ?? 0, ends[index] ?? 0, steps[index] ?? 1)
  })
}

/** As Python slices. A backward range may end before element 0, which −1 stands for once clamped. */
function rangeOf(extent: number, start: number, end: number, step: number): Range {
  if (step === 0) throw new ShapeError('A step is 0', { op: 'slice' })
  const [least, most] = step > 0 ? [0, extent] : [-1, extent - 1]
  const place = (index: number): number => Math.min(Math.max(index < 0 ? index + extent : index, least), most)
  const first = place(start)
  const count = Math.max(0, Math.ceil((place(end) - first) / step))
  return count === 0 ? { start: 0, step: 1, count } : { start: first, step: count === 1 ? 1 : step, count }
}
