/**
 * Sums of products of integers on the CPU, exact: what the kernels' i32 results are held to. Partial sums of i8·u8 differences stay
 * below 2^53 for every depth that an array can have, and only the result wraps to 32 bits.
 */
import { BYTE_RANGE, quantized, saturate } from '../../precision/integers.ts'
import type { HostTensor } from '../../tensor/tensor.ts'
import type { ReferenceOutput } from '../op.ts'
import { gamma } from '../tolerance.ts'
import { numbersOf, rounded } from '../values.ts'
import { walkOf, type IntegerSizes, type Walk } from './sizes.ts'

/** The offset of every batch entry for strides over the batch dimensions. */
export function batchOffsets(batch: readonly number[], strides: readonly number[]): number[] {
  let offsets = [0]
  batch.forEach((size, axis) => {
    offsets = offsets.flatMap((start) => Array.from({ length: size }, (_, index) => start + index * (strides[axis] ?? 0)))
  })
  return offsets
}

/** Reads a scale or zero point at a batch entry and a line; `fallback` where it is absent. */
export function reader(tensor: HostTensor | null, walk: Walk | null, batch: readonly number[], fallback: number) {
  if (tensor === null || walk === null) return (): number => fallback
  const values = numbersOf(tensor)
  const offsets = batchOffsets(batch, walk.batch)
  return (entry: number, line: number): number => values[(offsets[entry] ?? 0) + line * walk.line] ?? NaN
}

export interface IntegerOperands {
  readonly a: HostTensor
  readonly b: HostTensor
  readonly aZero: HostTensor | null
  readonly bZero: HostTensor | null
}

/** Σ_k (a − zero of its row)(b − zero of its column) for every element of [batch…, I, J], not yet wrapped. */
export function integerSums(
  op: string,
  { a, b, aZero, bZero }: IntegerOperands,
  sizes: IntegerSizes,
  transB = false,
): Float64Array {
  const { i, j, k, batch } = sizes
  const left = numbersOf(a)
  const right = numbersOf(b)
  const aStarts = batchOffsets(batch, sizes.aBatch)
  const bStarts = batchOffsets(batch, sizes.bBatch)
  const zeroOfRow = reader(aZero, aZero && walkOf(op, 'a_zero_point', aZero, sizes, 'rows'), batch, 0)
  const zeroOfColumn = reader(bZero, bZero && walkOf(op, 'b_zero_point', bZero, sizes, 'columns'), batch, 0)
  const [stepK, stepJ] = transB ? [1, k] : [j, 1]
  const sums = new Float64Array(aStarts.length * i * j)
  for (let entry = 0; entry < aStarts.length; entry++) {
    for (let row = 0; row < i; row++) {
      const za = zeroOfRow(entry, row)
      const from = (aStarts[entry] ?? 0) + row * k
      for (let column = 0; column < j; column++) {
        const zb = zeroOfColumn(entry, column)
        const start = (bStarts[entry] ?? 0) + column * stepJ
        let sum = 0
        for (let at = 0; at < k; at++) sum += (left[from + at]! - za) * (right[start + at * stepK]! - zb)
        sums[(entry * i + row) * j + column] = sum
      }
    }
  }
  return sums
}

/** What a sum is multiplied by, those of both factors, divided by, that of the result, and what is added then. */
export interface Requantising {
  readonly scales: readonly [a: number, b: number, y: number]
  readonly zero: number
}

/** Integer sums as bytes of another scale: saturate(round half to even(sum · sa · sb / sy) + zy). Sums wrap to 32 bits first. */
export function requantised(
  sums: Float64Array,
  { dtype, shape }: { readonly dtype: 'i8' | 'u8'; readonly shape: readonly number[] },
  at: (index: number) => Requantising,
): ReferenceOutput {
  const values = new Float64Array(sums.length)
  const exact = new Float64Array(sums.length)
  const bound = new Float64Array(sums.length)
  for (let index = 0; index < sums.length; index++) {
    const {
      scales: [sa, sb, sy],
      zero,
    } = at(index)
    const quotient = (((sums[index]! % 2 ** 32) | 0) * sa * sb) / sy
    values[index] = quantized(quotient, zero, dtype)
    exact[index] = saturate(quotient + zero, BYTE_RANGE[dtype], zero)
    // Roundings: the sum to f32, two products, a division of 2.5 units in the last place.
    bound[index] = 0.5 + Math.min(gamma(7) * Math.abs(quotient), 0.01)
  }
  return { tensor: rounded(dtype, shape, values), exact, tolerance: { kind: 'bound', bound } }
}
