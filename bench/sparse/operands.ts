/** Seeded operands of the sparse bench, and what products of them should be. */
import { float16Array } from '../../src/tensor/half.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'
import type { ResultError } from '../protocol.ts'
import { floatAt, halfAt, halfBitsAt, hash } from '../values.ts'

const SEED = { x: 0x9e3779b9, w: 0x7f4a7c15, seats: 0x2545f491, keep: 0x5851f42d } as const

const valueAt = (dtype: 'f32' | 'f16', index: number, seed: number): number => {
  const value = (dtype === 'f16' ? halfAt : floatAt)(index, seed)
  // A zero among what is kept would make the matrix sparser than it says.
  return value === 0 ? 0.5 : value
}

type Floats = HostTensor<'f32'>
type Halves = HostTensor<'f16'>

/** X [rows, depth]: values that the dtype holds, as f32. */
export function activationFloats(dtype: 'f32' | 'f16', shape: readonly number[]): Floats {
  return filledBy(shape, (index) => valueAt(dtype, index, SEED.x))
}

function filledBy(shape: readonly number[], value: (index: number) => number): Floats {
  const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1))
  for (let index = 0; index < values.length; index++) values[index] = value(index)
  return new HostTensor('f32', shape, values)
}

/** Values that halves hold, by their bits: where halves are no arrays of the language, each takes a microsecond. */
export function asHalves({ shape, values }: Floats): Halves {
  const bits = Uint16Array.from(values, halfBitsAt)
  return new HostTensor('f16', shape, float16Array(bits.buffer, 0, bits.length))
}

export function storedAs(dtype: 'f32' | 'f16', floats: Floats): Floats | Halves {
  return dtype === 'f32' ? floats : asHalves(floats)
}

/** The two seats of a group, by a number from 0 to 5. */
const SEATS = [
  [0, 1],
  [0, 2],
  [0, 3],
  [1, 2],
  [1, 3],
  [2, 3],
] as const

/** W [lines, depth] that holds 2:4, in `share` lines at the same positions; two of every four are not zero. As f32. */
export function prunedFloats(dtype: 'f32' | 'f16', [lines, depth]: readonly [number, number], share = 1): Floats {
  const groups = Math.ceil(depth / 4)
  const values = new Float32Array(lines * depth)
  for (let line = 0; line < lines; line++) {
    const first = Math.floor(line / share) * groups
    for (let group = 0; group < groups; group++) {
      for (const seat of SEATS[hash(first + group, SEED.seats) % SEATS.length] ?? []) {
        const [k, index] = [4 * group + seat, line * depth + 4 * group + seat]
        if (k < depth) values[index] = valueAt(dtype, index, SEED.w)
      }
    }
  }
  return new HostTensor('f32', [lines, depth], values)
}

/** Values of which so many are not zero: seeded, so that a sparser tensor's are among a denser one's. */
export function sparseValues(dtype: 'f32' | 'f16', shape: readonly number[], density: number): Floats | Halves {
  const limit = density * 2 ** 32
  const floats = filledBy(shape, (index) => (hash(index, SEED.keep) < limit ? valueAt(dtype, index, SEED.w) : 0))
  return storedAs(dtype, floats)
}

/** Multiplications that a reference may take: about a fifth of a second. */
const REFERENCE_MACS = 3.4e7

/** Which rows of X are compared: all where that is quick, else some spread from the first to the last. */
export function sampledRows(rows: number, each: number): number[] {
  const count = Math.max(1, Math.min(rows, Math.floor(REFERENCE_MACS / each)))
  if (count === 1) return [rows - 1]
  return Array.from({ length: count }, (_, index) => Math.round((index * (rows - 1)) / (count - 1)))
}

/** Rows of X · Wᵀ in f64, to hold results against. */
export class ProductReference {
  readonly #rows: readonly number[]
  readonly #of: number
  readonly #sums: readonly Float64Array[]
  readonly #columns: number

  constructor(x: HostTensor, w: HostTensor) {
    const [m = 0, k = 0] = x.shape
    const [n = 0] = w.shape
    this.#of = m
    this.#columns = n
    this.#rows = sampledRows(m, n * k)
    const weights = numbers(w)
    const activation = numbers(x)
    this.#sums = this.#rows.map((row) => {
      const sums = new Float64Array(n)
      for (let line = 0; line < n; line++) {
        let sum = 0
        for (let depth = 0; depth < k; depth++) sum += (activation[row * k + depth] ?? NaN) * (weights[line * k + depth] ?? NaN)
        sums[line] = sum
      }
      return sums
    })
  }

  /** @throws Error where `values` is no such product, or nothing was compared */
  errorOf(values: ArrayLike<number>): ResultError {
    const columns = this.#columns
    if (values.length !== this.#of * columns) throw new Error(`${values.length} values for a product of ${this.#of * columns}`)
    let worst = 0
    let largest = 0
    this.#sums.forEach((sums, index) => {
      const row = this.#rows[index] ?? 0
      sums.forEach((sum, column) => {
        const difference = Math.abs((values[row * columns + column] ?? NaN) - sum)
        // NaN and the infinities are as wrong as it gets.
        worst = Number.isFinite(difference) ? Math.max(worst, difference) : Infinity
        largest = Math.max(largest, Math.abs(sum))
      })
    })
    if (largest === 0) throw new Error('The reference is zero: nothing was compared')
    return { relative: worst / largest, rows: this.#rows.length, of: this.#of }
  }
}

function numbers({ values }: HostTensor): ArrayLike<number> {
  if (values instanceof BigInt64Array) throw new Error('Operands are floats')
  return values
}
