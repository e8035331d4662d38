/** Attributes and shape rule of pad. */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import type { Shape } from '../../tensor/shape.ts'
import { distinctAxes, integersAt, requireIntegers, sameLength } from '../movement/integers.ts'
import type { InferContext } from '../op.ts'

export const PAD_MODES = ['constant', 'edge', 'reflect', 'wrap'] as const
export type PadMode = (typeof PAD_MODES)[number]

export const attributes = z.strictObject({ mode: z.enum(PAD_MODES).default('constant') })
export type PadAttributes = z.infer<typeof attributes>

/** Elements added (or, negative, removed) before and after each axis of the input. */
export interface Pads {
  readonly begins: readonly number[]
  readonly ends: readonly number[]
}

/** The pads of every axis, from inputs 1 and 3. @throws ShapeError, DtypeError. */
export function padsOf({ inputs, values }: Pick<InferContext<PadAttributes>, 'inputs' | 'values'>, shape: Shape): Pads {
  const pads = requireIntegers('pad', 'pads', inputs, values, 1)
  const given = integersAt('pad', 'axes', inputs, values, 3) ?? shape.map((_, axis) => axis)
  const axes = distinctAxes('pad', given, shape.length)
  sameLength('pad', 'pads', pads, 'twice the axes', 2 * axes.length)
  const spread = (list: readonly number[]): number[] => shape.map((_, axis) => list[axes.indexOf(axis)] ?? 0)
  return { begins: spread(pads.slice(0, axes.length)), ends: spread(pads.slice(axes.length)) }
}

/** @throws ShapeError when more is cropped than is there, or an empty axis should be repeated. */
export function paddedShape(shape: Shape, { begins, ends }: Pads, mode: PadMode): number[] {
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
