/** Products with sparse weights as cases: a dense matrix of some pattern, packed in a format, and what multiplies it. */
import type { InputValues } from '../../src/ops/op.ts'
import { packCsc } from '../../src/sparsity/csc.ts'
import { packCsr } from '../../src/sparsity/csr.ts'
import { packEie, type EieOptions } from '../../src/sparsity/eie.ts'
import type { IndexBits } from '../../src/sparsity/entries.ts'
import { allocate } from '../../src/tensor/dtype.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'
import { randomFrom } from './case.ts'

/** Where a matrix has its non-zeros: everywhere with a density, in one full line among empty ones, nowhere, in some columns. */
export type Pattern = number | 'one line' | 'one column'

export interface SparseCase {
  readonly name: string
  /** Leading axes of X. */
  readonly rows: readonly number[]
  readonly columns: number
  readonly depth: number
  readonly pattern: Pattern
  /** Of X: how many of its values are not 0. Default all. */
  readonly activations?: number
  /** Whole numbers, whose sums are exact in f32; else signed. */
  readonly integers?: boolean
  readonly dtype?: 'f32' | 'f16'
  /** Of the weights. Default that of X. */
  readonly weights?: 'f32' | 'f16'
  readonly bias?: boolean
  readonly residual?: boolean
  readonly attributes?: Readonly<Record<string, unknown>>
}

/** Random values of a dtype, `density` of them not 0. */
export function randomTensor(
  dtype: 'f32' | 'f16',
  shape: readonly number[],
  { density = 1, integers = false, seed }: { readonly density?: number; readonly integers?: boolean; readonly seed: number },
): HostTensor {
  const random = randomFrom(seed)
  const numbers = Float64Array.from({ length: sizeOf(shape) }, () => {
    if (random() >= density) return 0
    const sign = random() < 0.5 ? -1 : 1
    return sign * (integers ? 1 + Math.floor(random() * 4) : 0.05 + random())
  })
  const values = allocate(dtype, numbers.length)
  values.set(numbers)
  return new HostTensor(dtype, shape, values)
}

/** The dense matrix [columns, depth] of a case. */
export function weightsOf(
  { columns, depth, pattern, integers = false, dtype = 'f32', weights = dtype }: SparseCase,
  seed: number,
): HostTensor {
  const density = typeof pattern === 'number' ? pattern : 1
  const matrix = randomTensor(weights, [columns, depth], { density, integers, seed })
  const { values } = matrix
  if (typeof pattern === 'number' || values instanceof BigInt64Array) return matrix
  for (let i = 0; i < values.length; i++) {
    const kept = pattern === 'one line' ? Math.floor(i / depth) === columns >> 1 : i % depth === depth >> 1
    if (!kept) values[i] = 0
  }
  return matrix
}

/** X, bias and residual of a case. */
export function aroundOf(entry: SparseCase, seed: number): { x: HostTensor; bias: HostTensor | null; residual: HostTensor | null } {
  const { rows, columns, depth, activations = 1, integers = false, dtype = 'f32' } = entry
  const made = (shape: readonly number[], density: number, own: number): HostTensor =>
    randomTensor(dtype, shape, { density, integers, seed: 10 * seed + own })
  return {
    x: made([...rows, depth], activations, 1),
    bias: entry.bias === true ? made([columns], 1, 2) : null,
    residual: entry.residual === true ? made([...rows, columns], 1, 3) : null,
  }
}

/** Inputs of csrMatmul. */
export function csrInputs(entry: SparseCase, seed: number, indexBits: IndexBits): InputValues {
  const { values, columns, pointers } = packCsr(weightsOf(entry, seed), { indexBits })
  const { x, bias, residual } = aroundOf(entry, seed)
  return [x, values, columns, pointers, bias, residual]
}

/** Inputs of cscMatmul. */
export function cscInputs(entry: SparseCase, seed: number, indexBits: IndexBits, elements: number): InputValues {
  const { values, rows, pointers } = packCsc(weightsOf(entry, seed), { indexBits, elements })
  const { x, bias, residual } = aroundOf(entry, seed)
  return [x, values, rows, pointers, bias, residual]
}

/** Inputs of eieMatmul. */
export function eieInputs(entry: SparseCase, seed: number, options: EieOptions): InputValues {
  const { values, zeros, pointers, codebook } = packEie(weightsOf(entry, seed), options)
  const { x, bias, residual } = aroundOf(entry, seed)
  return [x, values, zeros, pointers, codebook ?? null, bias, residual]
}

/** Whether a case says more with values that are rounded than with whole numbers, which every case is held to bit for bit. */
export function isRounded({ attributes, dtype, weights, activations }: SparseCase): boolean {
  return attributes !== undefined || dtype === 'f16' || weights === 'f16' || activations !== undefined
}

/** Shapes and patterns that every format is held to. */
export const SPARSE_CASES: readonly SparseCase[] = [
  { name: '1×1', rows: [1], columns: 1, depth: 1, pattern: 1 },
  { name: 'a vector', rows: [], columns: 67, depth: 131, pattern: 0.1, bias: true },
  { name: 'one row, odd sizes', rows: [1], columns: 61, depth: 257, pattern: 0.3, bias: true, attributes: { activation: 'relu' } },
  { name: 'few rows', rows: [3], columns: 33, depth: 70, pattern: 0.2, residual: true },
  { name: 'many rows', rows: [2, 19], columns: 45, depth: 67, pattern: 0.25, bias: true, residual: true },
  { name: 'rows of several tiles', rows: [150], columns: 9, depth: 40, pattern: 0.5, attributes: { activation: 'gelu' } },
  { name: 'dense', rows: [5], columns: 24, depth: 48, pattern: 1 },
  { name: 'all zero', rows: [2], columns: 20, depth: 30, pattern: 0, bias: true },
  { name: 'mostly empty lines', rows: [1], columns: 200, depth: 50, pattern: 0.005 },
  { name: 'one full line', rows: [1], columns: 129, depth: 513, pattern: 'one line' },
  { name: 'one full column, many rows', rows: [17], columns: 65, depth: 31, pattern: 'one column' },
  { name: 'depth 1', rows: [9], columns: 30, depth: 1, pattern: 0.5 },
  { name: 'depth 0', rows: [2], columns: 7, depth: 0, pattern: 0, bias: true },
  { name: 'no rows', rows: [0], columns: 7, depth: 5, pattern: 0.5 },
  { name: 'no lines', rows: [3], columns: 0, depth: 5, pattern: 0.5 },
  { name: 'weights f16 beside f32', rows: [4], columns: 30, depth: 90, pattern: 0.2, weights: 'f16' },
  { name: 'all f16', rows: [1], columns: 30, depth: 90, pattern: 0.2, dtype: 'f16', bias: true },
  { name: 'all f16, many rows', rows: [12], columns: 30, depth: 90, pattern: 0.2, dtype: 'f16', residual: true },
  { name: 'sparse activations', rows: [1], columns: 80, depth: 300, pattern: 0.2, activations: 0.3 },
  { name: 'sparse activations, many rows', rows: [13], columns: 80, depth: 100, pattern: 0.2, activations: 0.1 },
]
