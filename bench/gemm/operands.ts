/** The operands of a product, seeded, and what it should be. */
import { BLOCK, type GemmCase } from '../cases/gemm.ts'
import type { ResultError } from '../protocol.ts'
import { byteAt, filled, floatAt, halfAt, hash, type OperandArray } from '../values.ts'

const SEED = { a: 0x9e3779b9, b: 0x7f4a7c15, scale: 0x2545f491 } as const

/** A, row-major [batch, M, K]: f32, bits of f16, or i8. */
export function operandA({ batch, m, k, dtype }: GemmCase): OperandArray {
  return filled(dtype === 'int4' ? 'f32' : dtype, batch * m * k, SEED.a)
}

/** B, row-major [batch, K, N], or [batch, N, K] where it is transposed. Not for 4-bit weights. */
export function operandB({ batch, n, k, dtype }: GemmCase): OperandArray {
  if (dtype === 'int4') throw new Error('4-bit weights have codes and scales: see packedB')
  return filled(dtype, batch * k * n, SEED.b)
}

/** The code, 0 … 15, of the weight at column n, depth k; its value is (code − 8) · scale. */
const codeAt = (index: number): number => hash(index, SEED.b) >>> 28
/** A scale in [2⁻⁴, 2⁻³). */
const scaleAt = (index: number): number => (2 ** 23 + (hash(index, SEED.scale) >>> 9)) / 2 ** 27

/** 4-bit weights: codes [N, K] two in a byte, the lower half first, and scales [N, K / 32]. */
export function packedB({ n, k }: GemmCase): { codes: Uint8Array<ArrayBuffer>; scales: Float32Array<ArrayBuffer> } {
  const codes = new Uint8Array((n * k) / 2)
  for (let index = 0; index < codes.length; index++) codes[index] = codeAt(2 * index) | (codeAt(2 * index + 1) << 4)
  const scales = new Float32Array((n * k) / BLOCK)
  for (let index = 0; index < scales.length; index++) scales[index] = scaleAt(index)
  return { codes, scales }
}

/** The weight or activation B[k, n] of one of the batch, as a number. */
function valueOfB({ n: columns, k: depth, dtype, transposed }: GemmCase): (part: number, k: number, n: number) => number {
  return (part, k, n) => {
    const index = part * depth * columns + (transposed ? n * depth + k : k * columns + n)
    if (dtype === 'f32') return floatAt(index, SEED.b)
    if (dtype === 'f16') return halfAt(index, SEED.b)
    if (dtype === 'int8') return byteAt(index, SEED.b)
    return (codeAt(index) - 8) * scaleAt(Math.floor(index / BLOCK))
  }
}

/** Rows of C in all that the reference is computed for: this many multiplications take about a second. */
const REFERENCE_MACS = 1.5e8

/** Which rows of [batch · M] are compared: all where that is quick, else some spread from the first to the last. */
export function sampledRows(item: GemmCase): number[] {
  const rows = item.batch * item.m
  const count = Math.max(1, Math.min(rows, Math.floor(REFERENCE_MACS / (item.n * item.k))))
  if (count === 1) return [rows - 1]
  return Array.from({ length: count }, (_, index) => Math.round((index * (rows - 1)) / (count - 1)))
}

/**
 * Holds a product, row-major [batch, M, N], against sums in f64.
 * @throws Error where `values` is no product of this case: too short, or not a single finite value in it
 */
export function errorOf(item: GemmCase, values: ArrayLike<number>): ResultError {
  const { batch, m, n, k, dtype } = item
  if (values.length !== batch * m * n) throw new Error(`${values.length} values for a product of ${batch * m * n}`)
  const rows = sampledRows(item)
  const b = valueOfB(item)
  const a = dtype === 'f16' ? halfAt : dtype === 'int8' ? byteAt : floatAt
  let worst = 0
  let largest = 0
  for (let part = 0; part < batch; part++) {
    const own = rows.filter((row) => Math.floor(row / m) === part)
    if (own.length === 0) continue
    const sums = own.map(() => new Float64Array(n))
    const line = new Float64Array(n)
    for (let depth = 0; depth < k; depth++) {
      for (let column = 0; column < n; column++) line[column] = b(part, depth, column)
      own.forEach((row, place) => {
        const sum = sums[place] ?? line
        const factor = a(row * k + depth, SEED.a)
        for (let column = 0; column < n; column++) sum[column] = (sum[column] ?? 0) + factor * (line[column] ?? 0)
      })
    }
    own.forEach((row, place) => {
      sums[place]?.forEach((sum, column) => {
        const difference = Math.abs((values[row * n + column] ?? NaN) - sum)
        // NaN and the infinities are as wrong as it gets.
        worst = Number.isFinite(difference) ? Math.max(worst, difference) : Infinity
        largest = Math.max(largest, Math.abs(sum))
      })
    })
  }
  if (largest === 0) throw new Error(`The reference of ${item.name} is zero: nothing was compared`)
  return { relative: worst / largest, rows: rows.length, of: batch * m }
}
