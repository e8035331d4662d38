/**
 * Operands on which a sum of products is exact, and the check of a result against f64: whole numbers so small that every sum of
 * products, in any order, is a whole number that f32 (and f16) holds. What a kernel gives is then right or wrong, with no tolerance, but
 * for algorithms that transform their operands, which say how far they may err.
 *
 *     every row     Σ_j Y[i][j]·r[j]  =  Σ_k A[i][k]·(Σ_j B[k][j]·r[j])    r = ±1 at random (Freivalds, IFIP Congress 1977)
 *     some elements Y[i][j]           =  Σ_k A[i][k]·B[k][j]               all of a small problem; of a large one edges, and some at random
 *
 * The first sees each wrong element unless a row's errors cancel, in time of the operands' size; the second is the definition.
 */
import { DtypeError, OptionError } from '../errors.ts'
import { checkTensor } from '../gpu/device-tensor.ts'
import type { DeviceFacts } from '../gpu/program.ts'
import { floatsOf } from '../ops/values.ts'
import { Random } from '../schedule/search/random.ts'
import { float16Array, halfBits } from '../tensor/half.ts'
import { sizeOf } from '../tensor/shape.ts'
import { HostTensor, tensor, type TensorType } from '../tensor/tensor.ts'
import type { Checked, Tunable } from './tunable.ts'

/** Multiply-adds of the element-by-element check at most, but for one row or so. */
const MOST_MACS = 2 ** 24
/** Rows and columns checked element by element in a problem beyond that. */
const SAMPLED = 48
/** Multiply-adds of the check by rows at most: of more rows some are left out. */
const MOST_ROW_MACS = 2 ** 27
/** Sums stay below 8 standard deviations (1 in 10¹⁵ is beyond), which f16 holds exactly up to 2048. */
const LARGEST_DEVIATION = 128

/** A result as rows and columns of sums of products, in slices, wherever its values lie. */
export interface Sums {
  readonly slices: number
  readonly rows: number
  readonly columns: number
  readonly depth: number
  /** Values of the result, those that are nobody's too. */
  readonly length: number
  /** Row `row` of A in a slice, into `into`. */
  left(slice: number, row: number, into: Float64Array): void
  /** Column `column` of B in a slice. */
  right(slice: number, column: number, into: Float64Array): void
  /** Σ_j B[k][j]·signs[j] for each k. */
  projected(slice: number, signs: Int8Array): Float64Array
  /** Index of an element of the result. */
  place(slice: number, row: number, column: number): number
  /** Added to the sum at an index of the result. */
  added?(place: number): number
}

/**
 * Checks that a problem can be tuned: that the device holds its tensors, and this process what they are made from and checked with.
 * @throws DtypeError, DeviceLimitError as allocating would; OptionError where memory of the process does not do
 */
export function checkSizes({ op, inputs, output, examValues }: Tunable, facts: DeviceFacts): void {
  const types = [...inputs, output].flatMap((type) => (type === null ? [] : [type]))
  for (const type of types) checkTensor(type, facts, { op })
  // Each operand as f32 and as it is stored, the result likewise, and sums by row: all at once, as while a kernel is checked.
  const lengths = [...types.flatMap(({ shape }) => [sizeOf(shape), sizeOf(shape)]), examValues]
  try {
    lengths.map((length) => new Float32Array(length))
  } catch (cause) {
    const bytes = lengths.reduce((sum, length) => sum + 4 * length, 0)
    throw new OptionError(
      `Tuning it takes ${bytes} bytes of host memory, more than there is`,
      { op, shape: output.shape, remedy: 'Tune a smaller problem, or on a machine with more memory' },
      { cause },
    )
  }
}

/** Largest magnitude of an element. */
export const MOST = 7

/**
 * Whole numbers −m … m, each as likely; the variance of a product of two is (m(m+1)/3)². Beyond depths that m = 1 allows, zeros are
 * mixed in.
 */
export function wholeNumbers(count: number, depth: number, seed: number): Float32Array {
  const deviation = (most: number): number => ((most * (most + 1)) / 3) * Math.sqrt(depth)
  let most = MOST
  while (most > 1 && deviation(most) > LARGEST_DEVIATION) most--
  // Of both operands a share p is not 0, so that the variance of a product shrinks by p².
  const share = Math.min(1, LARGEST_DEVIATION / deviation(most))
  const random = new Random(seed)
  const values = new Float32Array(count)
  const scale = (2 * most + 1) / share
  for (let at = 0; at < count; at++) {
    const drawn = random.next()
    values[at] = drawn < share ? Math.floor(drawn * scale) - most : 0
  }
  return values
}

/** Small whole numbers in the dtype of a tensor; halves from a table, since converting each takes longer than all else. */
export function stored(values: Float32Array, { dtype, shape }: TensorType): HostTensor {
  if (dtype === 'f32') return tensor(values, shape)
  if (dtype !== 'f16') throw new DtypeError('What is of other than floats is not tuned', { dtype })
  const table = halfBits(
    tensor(
      Array.from({ length: 2 * MOST + 1 }, (_, index) => index - MOST),
      undefined,
      'f16',
    ).values,
  )
  const bits = new Uint16Array(values.length)
  for (let at = 0; at < bits.length; at++) bits[at] = table[(values[at] ?? 0) + MOST] ?? 0
  return new HostTensor('f16', shape, float16Array(bits.buffer, 0, bits.length))
}

/** What a result must be on given operands, computed once for all kernels. */
export class ExactResult {
  readonly #sums: Sums
  readonly #signs: Int8Array
  /** Rows, counted through the slices, whose sums are held against Σ_j Y·r. */
  readonly #rows: readonly number[]
  readonly #rowSums: Float64Array
  /** Elements, counted row by row and slice by slice, and what is there. */
  readonly #at: readonly number[]
  readonly #expected: Float64Array

  /** @param sums of a result that is not empty */
  constructor(sums: Sums, seed = 3) {
    this.#sums = sums
    const { slices, rows, columns, depth } = sums
    const random = new Random(seed)
    this.#signs = Int8Array.from({ length: columns }, () => (random.next() < 0.5 ? -1 : 1))
    this.#rows = sampledRows(sums, random)
    this.#rowSums = new Float64Array(this.#rows.length)
    const line = new Float64Array(depth)
    const other = new Float64Array(depth)
    let projected: { slice: number; values: Float64Array } = { slice: -1, values: line }
    for (const [nth, at] of this.#rows.entries()) {
      const slice = Math.floor(at / rows)
      if (projected.slice !== slice) projected = { slice, values: sums.projected(slice, this.#signs) }
      sums.left(slice, at % rows, line)
      this.#rowSums[nth] = dot(line, projected.values) + this.#addedTo(slice, at % rows)
    }
    this.#at = sampled(sums, random)
    let loaded = -1
    this.#expected = Float64Array.from(this.#at, (index) => {
      const row = Math.floor(index / columns)
      const [slice, column] = [Math.floor(row / rows), index % columns]
      if (row !== loaded) sums.left(slice, row % rows, line)
      loaded = row
      sums.right(slice, column, other)
      return dot(line, other) + (sums.added?.(sums.place(slice, row % rows, column)) ?? 0)
    })
    if (slices * rows * columns > 0 && this.#at.length === 0) throw new OptionError('A check that compares nothing')
  }

  /**
   * Holds a result against what it must be.
   * @param tolerance of an element; 0 where a kernel only multiplies and adds: then rows are summed too
   */
  check(result: HostTensor, tolerance = 0): Checked {
    const values = floatsOf(result)
    const { rows, columns, length } = this.#sums
    const counts = { elements: this.#at.length, rows: tolerance === 0 ? this.#rows.length : 0 }
    if (values.length !== length) return { ...counts, fault: `${values.length} values in place of ${length}` }
    for (const [nth, index] of this.#at.entries()) {
      const row = Math.floor(index / columns)
      const value = values[this.#sums.place(Math.floor(row / rows), row % rows, index % columns)] ?? NaN
      const expected = this.#expected[nth] ?? NaN
      // A NaN is within nothing.
      if (Math.abs(value - expected) <= tolerance) continue
      const within = tolerance === 0 ? '' : ` within ${tolerance.toPrecision(2)}`
      return { ...counts, fault: `row ${row % rows}, column ${index % columns} is ${value}, not ${expected}${within}` }
    }
    for (const [nth, at] of tolerance === 0 ? this.#rows.entries() : []) {
      const slice = Math.floor(at / rows)
      let sum = 0
      for (let j = 0; j < columns; j++) sum += (values[this.#sums.place(slice, at % rows, j)] ?? NaN) * (this.#signs[j] ?? NaN)
      if (sum !== this.#rowSums[nth]) return { ...counts, fault: `row ${at % rows} sums to ${sum}, not ${this.#rowSums[nth]}` }
    }
    return counts
  }

  #addedTo(slice: number, row: number): number {
    const { columns, added } = this.#sums
    if (added === undefined) return 0
    let sum = 0
    for (let j = 0; j < columns; j++) sum += added(this.#sums.place(slice, row, j)) * (this.#signs[j] ?? NaN)
    return sum
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!
  return sum
}

/** Rows, counted through the slices: all, where that is not too much work; else the first, the last, and some at random. */
function sampledRows({ slices, rows, depth }: Sums, random: Random): number[] {
  const all = slices * rows
  const most = Math.max(SAMPLED, Math.floor(MOST_ROW_MACS / Math.max(1, depth)))
  if (all <= most) return Array.from({ length: all }, (_, index) => index)
  const some = Array.from({ length: most }, () => random.below(all))
  return [...new Set([0, all - 1, ...some])].toSorted((a, b) => a - b)
}

/** Elements: all, where that is little work; else rows and columns at the edges of tiles and at random, in some slices. */
function sampled({ slices, rows, columns, depth }: Sums, random: Random): number[] {
  const all = slices * rows * columns
  if (all * depth <= MOST_MACS) return Array.from({ length: all }, (_, index) => index)
  const some = (count: number): number[] => {
    const edges = [0, 1, 15, 16, 31, 32, 63, 64, 127, 128, count - 2, count - 1].filter((at) => at >= 0 && at < count)
    const more = Array.from({ length: Math.max(0, Math.min(count, SAMPLED) - edges.length) }, () => random.below(count))
    return [...new Set([...edges, ...more])]
  }
  const chosen = [...new Set([0, slices - 1])]
  return chosen.flatMap((slice) => some(rows).flatMap((i) => some(columns).map((j) => (slice * rows + i) * columns + j)))
}
