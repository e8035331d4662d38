/** The tensors of a convolution, seeded, and what it should be: sums in f64 of the same values, for all of Y or a sample of it. */
import { convShapes, type ConvCase } from '../cases/conv.ts'
import type { ResultError } from '../protocol.ts'
import { filled, numbersOf, type OperandArray } from '../values.ts'

const SEED = { x: 0x9e3779b9, w: 0x7f4a7c15, bias: 0x2545f491 } as const

export interface ConvOperands {
  readonly x: OperandArray
  readonly w: OperandArray
  readonly bias: OperandArray
}

const volume = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1)

export function convOperands(item: ConvCase): ConvOperands {
  const shapes = convShapes(item)
  const of = (name: 'x' | 'w' | 'bias'): OperandArray => filled(item.dtype, volume(shapes[name]), SEED[name])
  return { x: of('x'), w: of('w'), bias: of('bias') }
}

/** Multiplications that the reference may take: about half a second. */
const REFERENCE_MACS = 6e7

/**
 * Indices of Y that are compared: all where that is quick, else as many as are, at a step that shares no factor with any extent, so that
 * every channel, row, column and place within a tile has its turn; the first and the last are among them.
 */
export function sampledOutputs(item: ConvCase): number[] {
  const { y, w } = convShapes(item)
  const total = volume(y)
  const each = volume(w.slice(1))
  const count = Math.max(2, Math.floor(REFERENCE_MACS / each))
  if (count >= total) return Array.from({ length: total }, (_, index) => index)
  let step = Math.ceil(total / (count - 1))
  while (y.some((extent) => gcd(step, extent) > 1)) step++
  const indices = []
  for (let index = 0; index < total; index += step) indices.push(index)
  return indices.at(-1) === total - 1 ? indices : [...indices, total - 1]
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}

type Numbers = Readonly<Record<'x' | 'w' | 'bias', ArrayLike<number>>>

/** Y[n, m, p, q] in f64, the activation applied. */
function exactAt(item: ConvCase, { x, w, bias }: Numbers, [n, m, p, q]: readonly [number, number, number, number]): number {
  const { channels, filters, groups, kernel, stride, dilation, padding, size, transposed } = item
  const [rows, columns] = size
  const perGroup = channels / groups
  const filtersPerGroup = filters / groups
  const group = Math.floor(m / filtersPerGroup)
  let sum = bias[m] ?? NaN
  for (let r = 0; r < kernel[0]; r++) {
    const row = source(p, r, stride, dilation, padding, transposed)
    if (row < 0 || row >= rows || !Number.isInteger(row)) continue
    for (let s = 0; s < kernel[1]; s++) {
      const column = source(q, s, stride, dilation, padding, transposed)
      if (column < 0 || column >= columns || !Number.isInteger(column)) continue
      for (let c = 0; c < perGroup; c++) {
        const channel = group * perGroup + c
        // Transposed filters lie as [C, M/g, R, S].
        const pair = transposed ? channel * filtersPerGroup + (m % filtersPerGroup) : m * perGroup + c
        const factor = w[(pair * kernel[0] + r) * kernel[1] + s] ?? NaN
        sum += factor * (x[((n * channels + channel) * rows + row) * columns + column] ?? NaN)
      }
    }
  }
  if (item.activation === 'none') return sum
  return item.activation === 'relu' ? Math.max(sum, 0) : Math.min(Math.max(sum, 0), 6)
}

/** Where element `tap` of the window at `place` reads X, along one axis: no integer where a transposed one reads nothing. */
function source(place: number, tap: number, stride: number, dilation: number, padding: number, transposed: boolean): number {
  return transposed ? (place + padding - tap * dilation) / stride : place * stride - padding + tap * dilation
}

/**
 * Holds Y, row-major [N, M, P, Q], against sums in f64.
 * @throws Error where `values` is no result of this case
 */
export function convError(item: ConvCase, operands: ConvOperands, values: ArrayLike<number>): ResultError {
  const { y } = convShapes(item)
  const [, filters = 1, rows = 1, columns = 1] = y
  if (values.length !== volume(y)) throw new Error(`${values.length} values for a result of ${volume(y)}`)
  const numbers = { x: numbersOf(operands.x), w: numbersOf(operands.w), bias: numbersOf(operands.bias) }
  const indices = sampledOutputs(item)
  let worst = 0
  let largest = 0
  for (const index of indices) {
    const [q, line] = [index % columns, Math.floor(index / columns)]
    const [p, plane] = [line % rows, Math.floor(line / rows)]
    const exact = exactAt(item, numbers, [Math.floor(plane / filters), plane % filters, p, q])
    const difference = Math.abs((values[index] ?? NaN) - exact)
    // NaN and the infinities are as wrong as it gets.
    worst = Number.isFinite(difference) ? Math.max(worst, difference) : Infinity
    largest = Math.max(largest, Math.abs(exact))
  }
  if (largest === 0) throw new Error(`The reference of ${item.name} is zero: nothing was compared`)
  return { relative: worst / largest, rows: indices.length, of: volume(y) }
}
