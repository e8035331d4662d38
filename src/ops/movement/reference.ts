/** What the CPU references of data movement share: tables of indices, and picking elements by them. */
import { allocate, type HostArray } from '../../tensor/dtype.ts'
import { sizeOf, type Shape } from '../../tensor/shape.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import type { ReferenceOutput } from '../op.ts'

/** offset + Σ coordinate · stride for every coordinate of `extents`, row-major. */
export function indexTable(extents: Shape, strides: readonly number[], offset = 0): Float64Array {
  let table = Float64Array.of(offset)
  extents.forEach((extent, axis) => {
    const stride = strides[axis] ?? 0
    const next = new Float64Array(table.length * extent)
    table.forEach((start, i) => {
      for (let j = 0; j < extent; j++) next[i * extent + j] = start + j * stride
    })
    table = next
  })
  return table
}

/** The tensor of `shape` whose element i is element table[i] of x, or `fill` where table[i] is negative. */
export function pick(x: HostTensor, shape: Shape, table: ArrayLike<number>, fill: number | bigint = 0): HostTensor {
  const values: HostArray = allocate(x.dtype, sizeOf(shape))
  const source = x.values
  if (source instanceof BigInt64Array && values instanceof BigInt64Array) {
    for (let i = 0; i < values.length; i++) values[i] = (table[i] ?? -1) < 0 ? BigInt(fill) : (source[table[i] ?? 0] ?? 0n)
  } else if (!(source instanceof BigInt64Array) && !(values instanceof BigInt64Array)) {
    for (let i = 0; i < values.length; i++) values[i] = (table[i] ?? -1) < 0 ? Number(fill) : (source[table[i] ?? 0] ?? 0)
  }
  return new HostTensor(x.dtype, shape, values)
}

/** An output that must be equal. */
export function exactly(tensor: HostTensor): ReferenceOutput {
  return { tensor, tolerance: { kind: 'exact' } }
}

/** The same values under another shape. */
export function underShape(x: HostTensor, shape: Shape): HostTensor {
  return new HostTensor(x.dtype, shape, x.values)
}

/** Writes the input coordinate of an output coordinate into `at`; false where no element is read. */
export type Source = (coordinate: readonly number[], at: number[]) => boolean | void

/** The tensor of `shape` whose element at a coordinate is the element of x that `source` names, else `fill`. */
export function byCoordinates(x: HostTensor, shape: Shape, source: Source, fill: number | bigint = 0): HostTensor {
  const coordinate = shape.map(() => 0)
  const at = x.shape.map(() => 0)
  const table = new Float64Array(sizeOf(shape))
  for (let i = 0; i < table.length; i++) {
    const inside = source(coordinate, at) !== false
    table[i] = inside ? at.reduce((index, own, axis) => index * (x.shape[axis] ?? 0) + own, 0) : -1
    advance(coordinate, shape)
  }
  return pick(x, shape, table, fill)
}

/** The next coordinate, row-major; back to the first after the last. */
export function advance(coordinate: number[], shape: Shape): void {
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const next = (coordinate[axis] ?? 0) + 1
    coordinate[axis] = next === shape[axis] ? 0 : next
    if (next !== shape[axis]) return
  }
}
