/**
 * Operands on which a matrix product is exact, and the check of its result against f64: whole numbers so small that every sum of
 * products, in any order, is a whole number that f32 (and f16) holds. What a kernel gives is then right or wrong, with no tolerance.
 *
 *     every row     Σ_j Y[i][j]·r[j]  =  Σ_k A[i][k]·(Σ_j B[k][j]·r[j])    r = ±1 at random (Freivalds, IFIP Congress 1977)
 *     some elements Y[i][j]           =  Σ_k A[i][k]·B[k][j]               all of a small product; of a large one edges, and some at random
 *
 * The first sees each wrong element unless a row's errors cancel, in time of the operands' size; the second is the definition.
 */
import { DtypeError, OptionError } from '../errors.ts'
import { checkTensor } from '../gpu/device-tensor.ts'
import type { DeviceFacts } from '../gpu/program.ts'
import { slicesOf, type Product } from '../ops/gemm/product.ts'
import { floatsOf } from '../ops/values.ts'
import { Random } from '../schedule/search/random.ts'
import { float16Array, halfBits } from '../tensor/half.ts'
import { sizeOf } from '../tensor/shape.ts'
import { HostTensor, tensor, type TensorType } from '../tensor/tensor.ts'

/** Multiply-adds of the element-by-element check at most, but for one row or so. */
const MOST_MACS = 2 ** 24
/** Rows and columns checked element by element in a product beyond that. */
const SAMPLED = 48
/** Sums stay below 8 standard deviations (1 in 10¹⁵ is beyond), which f16 holds exactly up to 2048. */
const LARGEST_DEVIATION = 128

export interface ExactOperands {
  readonly a: HostTensor
  readonly b: HostTensor
  /** Their values as f32: those of the tensor itself where it is f32. */
  readonly left: Float32Array
  readonly right: Float32Array
}

/** Operands of a product: whole numbers, seeded. @throws DtypeError where they are no floats */
export function exactOperands(product: Product, seed = 1): ExactOperands {
  const left = wholeNumbers(sizeOf(product.a.type.shape), product.depth, seed)
  const right = wholeNumbers(sizeOf(product.b.type.shape), product.depth, seed + 1)
  return { a: stored(left, product.a.type), b: stored(right, product.b.type), left, right }
}

/**
 * Checks that a product can be tuned: that the device holds its tensors, and this process what they are made from and checked with.
 * @throws DtypeError, DeviceLimitError as allocating would; OptionError where memory of the process does not do
 */
export function checkSizes(product: Product, facts: DeviceFacts): void {
  const { op, rows, columns, a, b, output } = product
  for (const type of [a.type, b.type, output]) checkTensor(type, facts, { op })
  // Each operand as f32 and as it is stored, the result likewise, and sums by row: all at once, as while a kernel is checked.
  const lengths = [a.type, b.type, output].flatMap(({ shape }) => [sizeOf(shape), sizeOf(shape)])
  lengths.push(2 * slicesOf(product) * rows, columns)
  try {
    lengths.map((length) => new Float32Array(length))
  } catch (cause) {
    const bytes = lengths.reduce((sum, length) => sum + 4 * length, 0)
    throw new OptionError(
      `Tuning it takes ${bytes} bytes of host memory, more than there is`,
      { op, shape: output.shape, remedy: 'Tune a smaller product, or on a machine with more memory' },
      { cause },
    )
  }
}

/** Largest magnitude of an element. */
const MOST = 7

/**
 * Whole numbers −m … m, each as likely; the variance of a product of two is (m(m+1)/3)². Beyond depths that m = 1 allows, zeros are
 * mixed in.
 */
function wholeNumbers(count: number, depth: number, seed: number): Float32Array {
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
function stored(values: Float32Array, { dtype, shape }: TensorType): HostTensor {
  if (dtype === 'f32') return tensor(values, shape)
  if (dtype !== 'f16') throw new DtypeError('A product of other than floats is not tuned', { dtype })
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

export interface ExactCheck {
  /** Elements that were compared one by one, and rows that were compared as sums. Never both 0. */
  readonly elements: number
  readonly rows: number
  /** What is wrong first, or undefined where all is right. */
  readonly fault?: string
}

/** What the result of a product must be on given operands, computed once for all kernels. */
export class ExactResult {
  readonly #product: Product
  readonly #signs: Int8Array
  /** Σ_j Y·r of each row of each slice. */
  readonly #rowSums: Float64Array
  /** Indices into Y and what is there. */
  readonly #at: readonly number[]
  readonly #expected: Float64Array

  /** @param product normalised, not empty */
  constructor(product: Product, { left, right }: ExactOperands, seed = 3) {
    this.#product = product
    const { rows, columns, depth } = product
    const random = new Random(seed)
    this.#signs = Int8Array.from({ length: columns }, () => (random.next() < 0.5 ? -1 : 1))
    const slices = slicesOf(product)
    this.#rowSums = new Float64Array(slices * rows)
    const starts = startsOf(product)
    starts.forEach(({ a: fromA, b: fromB }, slice) => {
      const projected = this.#projected(right, fromB)
      for (let i = 0; i < rows; i++) {
        let sum = 0
        for (let k = 0; k < depth; k++)
          sum += (left[fromA + i * product.a.line + k * product.a.depth] ?? NaN) * (projected[k] ?? NaN)
        this.#rowSums[slice * rows + i] = sum
      }
    })
    this.#at = sampled(product, slices, random)
    this.#expected = Float64Array.from(this.#at, (index) => {
      const start = starts[Math.floor(index / (rows * columns))] ?? { a: NaN, b: NaN }
      const fromA = start.a + (Math.floor(index / columns) % rows) * product.a.line
      const fromB = start.b + (index % columns) * product.b.line
      let sum = 0
      for (let k = 0; k < depth; k++)
        sum += (left[fromA + k * product.a.depth] ?? NaN) * (right[fromB + k * product.b.depth] ?? NaN)
      return sum
    })
  }

  /** Holds a result, in the order of Y, against what it must be. */
  check(result: HostTensor): ExactCheck {
    const values = floatsOf(result)
    const { rows, columns } = this.#product
    const counts = { elements: this.#at.length, rows: this.#rowSums.length }
    const place = (index: number): string => `row ${Math.floor(index / columns) % rows}, column ${index % columns}`
    if (values.length !== this.#rowSums.length * columns) {
      return { ...counts, fault: `${values.length} values in place of ${this.#rowSums.length * columns}` }
    }
    for (const [nth, index] of this.#at.entries()) {
      const [value, expected] = [values[index] ?? NaN, this.#expected[nth] ?? NaN]
      if (value !== expected) return { ...counts, fault: `${place(index)} is ${value}, not ${expected}` }
    }
    for (let row = 0; row < this.#rowSums.length; row++) {
      let sum = 0
      for (let j = 0; j < columns; j++) sum += (values[row * columns + j] ?? NaN) * (this.#signs[j] ?? NaN)
      if (sum !== this.#rowSums[row]) return { ...counts, fault: `row ${row % rows} sums to ${sum}, not ${this.#rowSums[row]}` }
    }
    return counts
  }

  /** Σ_j B[k][j]·r[j] for each k. */
  #projected(right: Float32Array, from: number): Float64Array {
    const { columns, depth, b } = this.#product
    const projected = new Float64Array(depth)
    const add = (j: number, k: number): void => {
      projected[k] = (projected[k] ?? NaN) + (this.#signs[j] ?? NaN) * (right[from + j * b.line + k * b.depth] ?? NaN)
    }
    // Along memory, whichever way B lies.
    if (b.line < b.depth) for (let k = 0; k < depth; k++) for (let j = 0; j < columns; j++) add(j, k)
    else for (let j = 0; j < columns; j++) for (let k = 0; k < depth; k++) add(j, k)
    return projected
  }
}

/** Where each slice of A and B begins, in order. */
function startsOf({ batch }: Product): { readonly a: number; readonly b: number }[] {
  let starts = [{ a: 0, b: 0 }]
  for (const { size, a, b } of batch) {
    starts = starts.flatMap((outer) => Array.from({ length: size }, (_, at) => ({ a: outer.a + at * a, b: outer.b + at * b })))
  }
  return starts
}

/** Indices into Y: all, where that is little work; else rows and columns at the edges of tiles and at random, in some slices. */
function sampled({ rows, columns, depth }: Product, slices: number, random: Random): number[] {
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
