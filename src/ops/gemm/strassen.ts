/**
 * Strassen's product in figures, apart from its kernel (kernels/strassen.ts): blocks, multiplications, error. Each level cuts rows,
 * columns and depth in two and multiplies 7 pairs of blocks instead of 8.
 */
import { F32_ROUNDOFF } from '../tolerance.ts'
import type { Product } from './product.ts'

/** Name of the kernel. */
export const STRASSEN = 'strassen'

export type Levels = 1 | 2

/** Extents of a block, and how many products of blocks there are. Quads of depth and columns are whole. */
export interface Blocks {
  readonly rows: number
  readonly columns: number
  readonly depth: number
  readonly products: number
}

export function blocksOf({ rows, columns, depth }: Pick<Product, 'rows' | 'columns' | 'depth'>, levels: Levels): Blocks {
  const side = 2 ** levels
  return {
    rows: Math.ceil(rows / side),
    columns: 4 * Math.ceil(columns / (4 * side)),
    depth: 4 * Math.ceil(depth / (4 * side)),
    products: 7 ** levels,
  }
}

/** Multiplications of a product, what its blocks are padded with included: (7/8)^levels of the definition's where they fit. */
export function strassenMultiplications(product: Pick<Product, 'rows' | 'columns' | 'depth'>, levels: Levels): number {
  const { rows, columns, depth, products } = blocksOf(product, levels)
  return products * rows * columns * depth
}

/**
 * E of |error| ≤ E · max|A| · max|B|, for every element of a product of this depth: (18^l (k² + 6 k) − 6 K) u with blocks of depth
 * k = K / 2^l (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 23.3 for Winograd's form; K K u without).
 * The bound is of the largest elements: where A and B hold small and large ones, small results may have no digit right.
 */
export function strassenError(depth: number, levels: Levels): number {
  const block = 4 * Math.ceil(depth / (4 * 2 ** levels))
  return (18 ** levels * (block * block + 6 * block) - 6 * depth) * F32_ROUNDOFF
}

/** Levels of a kernel that a caller forces; undefined where that is another. Without levels the most that there may be. */
export function forcedLevels(
  kernel: string | { readonly kernel: string; readonly levels?: unknown } | undefined,
): Levels | undefined {
  if (kernel === STRASSEN) return 2
  if (typeof kernel !== 'object' || kernel.kernel !== STRASSEN) return undefined
  return kernel.levels === 2 ? 2 : 1
}

/**
 * What a forced Strassen product may be off by, for each element alike. Infinite where A or B holds a NaN or an infinity, which
 * spread.
 */
export function strassenTolerance(a: Float32Array, b: Float32Array, depth: number, levels: Levels): number {
  const most = largest(a) * largest(b)
  return Number.isNaN(most) ? Infinity : strassenError(depth, levels) * most
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : Infinity), 0)
}
