/** Values of host inputs that shape a result: a target shape, axes, starts, pads. */
import { OptionError, ShapeError } from '../../errors.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { normalizeAxis } from '../../tensor/shape.ts'
import { requireDType } from '../checks.ts'
import type { InputTypes, InputValues } from '../op.ts'

/**
 * The integers of host input `index` (i64 or i32, rank at most 1); undefined where the input is absent.
 * @throws DtypeError, ShapeError; OptionError when its value is not known.
 */
export function integersAt(op: string, name: string, inputs: InputTypes, values: InputValues, index: number): number[] | undefined {
  const type = inputs[index]
  if (type === null || type === undefined) return undefined
  requireDType(op, name, type, ['i64', 'i32'])
  if (type.shape.length > 1)
    throw new ShapeError(`Input ${name} should be a list, but has rank ${type.shape.length}`, { op, shape: type.shape })
  const value = values[index]
  if (value === null || value === undefined) {
    throw new OptionError(`The value of input ${name} is not known`, {
      op,
      remedy: 'Make it a constant or feed it as a host tensor',
    })
  }
  return Array.from<number | bigint, number>(value.values, Number)
}

/** As `integersAt`, for an input that must be there. */
export function requireIntegers(op: string, name: string, inputs: InputTypes, values: InputValues, index: number): number[] {
  const integers = integersAt(op, name, inputs, values, index)
  if (integers === undefined) throw new ShapeError(`Input ${index} (${name}) is missing`, { op })
  return integers
}

/** Axes of a tensor of `rank`, each from 0 up. @throws ShapeError when one is out of range or given twice. */
export function distinctAxes(op: string, axes: readonly number[], rank: number): number[] {
  const positive = axes.map((axis) => normalizeAxis(axis, rank))
  if (new Set(positive).size < positive.length) throw new ShapeError(`An axis is given twice: ${axes.join(', ')}`, { op })
  return positive
}

/** @throws ShapeError unless two lists that belong together have one length. */
export function sameLength(op: string, name: string, list: readonly number[], other: string, count: number): void {
  if (list.length === count) return
  throw new ShapeError(`${name} has ${list.length} entries where ${other} has ${count}`, { op })
}

/** The type with another shape. */
export function reshaped({ dtype }: TensorType, shape: readonly number[]): TensorType {
  return { dtype, shape }
}
