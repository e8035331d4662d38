/** What the CPU references of elementwise ops share: element by element, with broadcasting, in f64, i32/u32 modulo 2^32 or bigints. */
import { isFloat, type DType } from '../../tensor/dtype.ts'
import { broadcastStrides, sizeOf, type Shape } from '../../tensor/shape.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import { indexTable } from '../movement/reference.ts'
import type { ReferenceOutput, Tolerance } from '../op.ts'
import { numbersOf, rounded } from '../values.ts'

/** Arithmetic of two elements. `integer` gets numbers of at most 32 bits and may return any integer below 2^53: the result wraps. */
export interface Arithmetic {
  readonly float: (a: number, b: number) => number
  readonly integer: (a: number, b: number) => number
  readonly bigint: (a: bigint, b: bigint) => bigint
}

/** A tensor of numbers rounded (floats) or wrapped (integers) to `dtype`, with its exact values for floats. */
export function output(dtype: Exclude<DType, 'i64'>, shape: Shape, exact: Float64Array, tolerance: Tolerance): ReferenceOutput {
  const tensor = rounded(dtype, shape, exact)
  return isFloat(dtype) ? { tensor, exact, tolerance } : { tensor, tolerance: { kind: 'exact' } }
}

/** An i64 tensor; BigInt64Array wraps what is beyond 64 bits. */
export function wideOutput(shape: Shape, values: BigInt64Array): ReferenceOutput {
  return { tensor: new HostTensor('i64', shape, values), tolerance: { kind: 'exact' } }
}

/** a ∘ b with both broadcast to `shape`. */
export function combine(
  a: HostTensor,
  b: HostTensor,
  shape: Shape,
  { float, integer, bigint }: Arithmetic,
  tolerance: Tolerance,
): ReferenceOutput {
  const tableA = indexTable(shape, broadcastStrides(a.shape, shape))
  const tableB = indexTable(shape, broadcastStrides(b.shape, shape))
  const [left, right] = [a.values, b.values]
  if (left instanceof BigInt64Array && right instanceof BigInt64Array) {
    return wideOutput(
      shape,
      BigInt64Array.from(tableA, (at, i) => bigint(left[at] ?? 0n, right[tableB[i] ?? 0] ?? 0n)),
    )
  }
  const [x, y] = [numbersOf(a), numbersOf(b)]
  const apply = isFloat(a.dtype) ? float : integer
  const exact = Float64Array.from(tableA, (at, i) => apply(x[at] ?? NaN, y[tableB[i] ?? 0] ?? NaN))
  return output(a.dtype as Exclude<DType, 'i64'>, shape, exact, tolerance)
}

/** f(x), element by element. `bigint` serves i64, where an op takes it. */
export function map(
  x: HostTensor,
  number: (x: number) => number,
  bigint: (x: bigint) => bigint,
  tolerance: Tolerance,
): ReferenceOutput {
  const { values } = x
  if (values instanceof BigInt64Array) return wideOutput(x.shape, values.map(bigint))
  const exact = Float64Array.from({ length: sizeOf(x.shape) }, fromNumbers(numbersOf(x), number))
  return output(x.dtype as Exclude<DType, 'i64'>, x.shape, exact, tolerance)
}

function fromNumbers(values: ArrayLike<number>, apply: (x: number) => number): (_: unknown, index: number) => number {
  return (_, index) => apply(values[index] ?? NaN)
}
