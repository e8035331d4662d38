/** Shapes are plain arrays of non-negative integers, outermost dimension first; `[]` is a scalar. */
import { ShapeError } from '../errors.ts'

export type Shape = readonly number[]

/** Number of elements: 1 for a scalar, 0 where a dimension is empty. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1)
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides: number[] = Array.from({ length: shape.length }, () => 1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!
  return strides
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis])
}

/**
 * The shape that `shapes` broadcast to, by the rule of NumPy and ONNX: align at the right, 1 stretches.
 * @throws ShapeError where two extents differ and neither is 1.
 */
export function broadcastShapes(...shapes: Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, axis) => {
    let extent = 1
    for (const shape of shapes) {
      const own = shape[axis - (rank - shape.length)] ?? 1
      if (own === 1 || own === extent) continue
      if (extent !== 1) {
        throw new ShapeError(`Shapes ${shapes.map(formatShape).join(' and ')} do not broadcast`, { axis, extents: [extent, own] })
      }
      extent = own
    }
    return extent
  })
}

/** Strides that read `shape` as if it were `target`: 0 along stretched axes. `shape` must broadcast to `target`. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const own = stridesOf(shape)
  const shift = target.length - shape.length
  return target.map((_, axis) => (axis < shift || shape[axis - shift] === 1 ? 0 : own[axis - shift]!))
}

/** `axis` in 0 … rank−1, negative values counting from the end. @throws ShapeError when out of range. */
export function normalizeAxis(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(axis) || positive < 0 || positive >= Math.max(rank, 1)) {
    throw new ShapeError(`Axis ${axis} is outside a tensor of rank ${rank}`, {
      remedy: `Give an axis from ${-rank} to ${rank - 1}`,
    })
  }
  return positive
}

export function formatShape(shape: readonly (number | string)[]): string {
  return `[${shape.join(', ')}]`
}
