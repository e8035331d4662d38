/**
 * The matrix product that gemm, matmul and linear share, as data: where its operands lie, and what happens to a sum before it is
 * stored. Kernel families (family.ts) see nothing else of an op.
 *
 *     Y[batch…][i][j] = activation(alpha · scale[i][j] · Σ_k A[batch…][i][k] · B[batch…][k][j] + beta · C[i][j] + R[batch…][i][j])
 */
import type { DType } from '../../tensor/dtype.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import type { LayoutStrides } from '../conv2d/convolution.ts'
import type { WindowAxis } from '../window.ts'
import type { Activation } from './activation.ts'

/**
 * One side of a product as *lines* of `depth` values: the rows of A, or the columns of B. Element k of line l lies at
 * `l · line + k · depth`, in elements from the start of the tensor. Along batch dimensions, see BatchDimension.
 */
export interface Side {
  /** Which input of the op. */
  readonly input: number
  readonly type: TensorType
  readonly line: number
  readonly depth: number
  /** Set where lines and depth are those of a window that slides; the strides above are then 0. */
  readonly window?: Window
  /** Set where two of every four values along the depth are kept, for B alone: `type` is then that of the kept ones. */
  readonly sparse?: Sparse
}

/** Columns that lie side by side in a B of 2:4: what a subgroup of eight lanes loads of quads. */
export const PANEL = 32

/**
 * B in 2:4 (src/sparsity/two-of-four.ts), in panels of 32 columns, so that who walks down columns walks through memory:
 *
 *     values  [panels][16 · words][32]     a step of 32 leads from one kept value of a column to the next, of 4 bits ([8 · words]) from
 *                                          one pair to the next
 *     seats   [panels][words][32]          a word is eight nibbles, first seat | second seat << 2
 *
 * Columns are padded to whole panels, the depth to whole words of 32. A batch steps over whole matrices, `BatchDimension.b` in values.
 */
export interface Sparse {
  /** The seats, u32; with `share` [words, ⌈columns / share⌉]. */
  readonly positions: { readonly input: number; readonly type: TensorType }
  /** Bits of a value. */
  readonly bits: 32 | 16 | 8 | 4
  /** Neighbouring columns that have the same seats: 1, or a multiple of 4, without a batch. */
  readonly share: number
  /** f32 [blocks, columns in whole quads]: factors of the values, for each block of depth. */
  readonly scales?: { readonly input: number; readonly type: TensorType; readonly block: number }
}

/**
 * A side that is the patch matrix of a convolution, never stored: its lines are the positions of a window, picture by picture, its depth
 * the window's taps and the channels under them. shaders/gemm/read/window.wgsl has the picture. Padding reads as 0.
 */
export interface Window {
  /** Depth, height, width. */
  readonly axes: readonly [z: WindowAxis, y: WindowAxis, x: WindowAxis]
  /** Channels under a tap, as k counts them. */
  readonly channels: number
  /** Of these the first so many are there, the others read as 0. Absent: all are. */
  readonly held?: number
  /**
   * In elements: between pictures, planes, rows and columns, between the channels of a quad, and between quads. Channel c begins at
   * ⌊c/4⌋ · quad + (c mod 4) · channel.
   */
  readonly strides: LayoutStrides
  /** What k counts first. */
  readonly order: 'taps' | 'channels'
}

/** Where Y lies if not contiguous: strides in elements, one for each batch dimension, and what bias and scale begin further on there. */
export interface Stores {
  readonly offset: number
  readonly row: number
  /** Between the columns of a quad, and between quads. */
  readonly column: number
  readonly quad: number
  readonly batch: readonly number[]
  readonly terms: readonly number[]
  /** Set where rows lie as positions of a box in another; `row` is then not used. */
  readonly box?: Box
}

/** Positions x, y, z and picture that a row counts, x first: how many there are of the first three, and strides of each in elements. */
export interface Box {
  readonly sizes: readonly [x: number, y: number, z: number]
  readonly strides: readonly [x: number, y: number, z: number, picture: number]
}

/** A term of the epilogue, broadcast to [rows, columns] by strides of 0. The same for all of a batch. */
export interface Broadcast {
  readonly input: number
  readonly type: TensorType
  readonly row: number
  readonly column: number
}

/** A batch dimension with the strides of both sides along it, 0 where broadcast. Y is contiguous over all of them. */
export interface BatchDimension {
  readonly size: number
  readonly a: number
  readonly b: number
}

export interface Epilogue {
  readonly alpha: number
  readonly scale?: Broadcast
  /** `factor` is beta. */
  readonly bias?: Broadcast & { readonly factor: number }
  /** Of Y's shape, contiguous. */
  readonly residual?: { readonly input: number; readonly type: TensorType }
  readonly activation: Activation
}

export interface Product {
  /** The op, for labels and errors. */
  readonly op: string
  readonly rows: number
  readonly columns: number
  readonly depth: number
  /** Lines are rows. */
  readonly a: Side
  /** Lines are columns. */
  readonly b: Side
  /** From the outermost in. */
  readonly batch: readonly BatchDimension[]
  readonly epilogue: Epilogue
  /** What sums are kept in. f16 is taken only where the caller asked for it. */
  readonly accumulate: 'f32' | 'f16'
  readonly output: TensorType
  /** Absent: Y is contiguous, batch by batch and row by row, and what the epilogue adds is the same for all of a batch. */
  readonly stores?: Stores
}

/** The bare product of A [rows, depth] and B [depth, columns], both contiguous, row by row; sums and Y as a caller gets them unasked. */
export function plainProduct(op: string, rows: number, columns: number, depth: number, dtype: DType): Product {
  return {
    op,
    rows,
    columns,
    depth,
    a: { input: 0, type: { dtype, shape: [rows, depth] }, line: depth, depth: 1 },
    b: { input: 1, type: { dtype, shape: [depth, columns] }, line: 1, depth: columns },
    batch: [],
    epilogue: { alpha: 1, activation: 'none' },
    accumulate: 'f32',
    output: { dtype, shape: [rows, columns] },
  }
}

/** Independent products of the same sizes. */
export function slicesOf({ batch }: Pick<Product, 'batch'>): number {
  return batch.reduce((count, { size }) => count * size, 1)
}

/** Arithmetic operations: a MAC is 2. */
export function flopsOf(product: Product): number {
  return 2 * slicesOf(product) * product.rows * product.columns * product.depth
}

/**
 * The same product in the form that kernels take: batch dimensions joined, rows of a batch folded, a single column turned to a row. One
 * with a window or with strides of Y is in its form already.
 */
export function normalised(product: Product): Product {
  if (product.stores !== undefined || product.a.window !== undefined || product.b.window !== undefined) return product
  return asRow(foldedRows({ ...product, batch: collapsed(product.batch) }))
}

/** Drops dimensions of 1 and joins neighbours that both sides walk as one. */
export function collapsed(batch: readonly BatchDimension[]): BatchDimension[] {
  const result: BatchDimension[] = []
  for (const dimension of batch) {
    if (dimension.size === 1) continue
    const outer = result.at(-1)
    if (outer !== undefined && outer.a === dimension.a * dimension.size && outer.b === dimension.b * dimension.size) {
      result[result.length - 1] = { ...dimension, size: outer.size * dimension.size }
    } else result.push(dimension)
  }
  return result
}

/** One B for a batch of A whose rows follow on: the batch is more rows of one product. */
function foldedRows(product: Product): Product {
  const [only, ...others] = product.batch
  if (only === undefined || others.length > 0) return product
  if (only.b !== 0 || only.a !== product.rows * product.a.line) return product
  const { scale, bias } = product.epilogue
  if ((scale?.row ?? 0) !== 0 || (bias?.row ?? 0) !== 0) return product
  return { ...product, rows: product.rows * only.size, batch: [] }
}

/** A single column is computed as a single row, Yᵀ = Bᵀ·Aᵀ: both lie the same in memory. */
function asRow(product: Product): Product {
  if (product.columns !== 1 || product.rows === 1 || product.b.sparse !== undefined) return product
  const { a, b, batch, epilogue } = product
  const { scale, bias } = epilogue
  const turned = <T extends Broadcast>(term: T): T => ({ ...term, row: term.column, column: term.row })
  return {
    ...product,
    rows: 1,
    columns: product.rows,
    a: b,
    b: a,
    epilogue: {
      ...epilogue,
      ...(scale === undefined ? {} : { scale: turned(scale) }),
      ...(bias === undefined ? {} : { bias: turned(bias) }),
    },
    batch: batch.map(({ size, a: stepA, b: stepB }) => ({ size, a: stepB, b: stepA })),
  }
}
