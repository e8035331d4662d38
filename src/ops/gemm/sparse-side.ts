/** The side of a product that holds 2:4: its WGSL (shaders/gemm/read/sparse*.wgsl), operands and params, and what reading it costs. */
import sparseBody from '../../../shaders/gemm/read/sparse.wgsl?raw'
import sparseBytes from '../../../shaders/gemm/read/sparse_bytes.wgsl?raw'
import sparseFloats from '../../../shaders/gemm/read/sparse_floats.wgsl?raw'
import sparseNibbles from '../../../shaders/gemm/read/sparse_nibbles.wgsl?raw'
import sparseSeats from '../../../shaders/gemm/read/sparse_seats.wgsl?raw'
import sparseShared from '../../../shaders/gemm/read/sparse_shared.wgsl?raw'
import sparseScaled from '../../../shaders/gemm/read/sparse_scaled.wgsl?raw'
import sparseUnscaled from '../../../shaders/gemm/read/sparse_unscaled.wgsl?raw'
import type { OperandSpec, TensorRef } from '../../gpu/program.ts'
import { GROUP, KEPT, WORD_GROUPS, WORD_VALUES, wordsOf } from '../../sparsity/two-of-four.ts'
import type { Accesses } from './family.ts'
import { PANEL, type Product, type Side, type Sparse } from './product.ts'

/** How it is read: `SIDE` and `OPERAND` are to be replaced, as in every reader. */
export function sparseText({ bits, share, scales }: Sparse): string {
  const pairs = bits === 4 ? sparseNibbles : bits === 8 ? sparseBytes : sparseFloats
  const sizes = { PANEL, WORD_VALUES: bits === 4 ? WORD_GROUPS : WORD_VALUES, SHARE: share }
  const constants = Object.entries(sizes).map(([name, size]) => `const ${name} = ${size}u;`)
  return [
    ...constants,
    share === 1 ? sparseSeats : sparseShared,
    pairs,
    scales === undefined ? sparseUnscaled : sparseScaled,
    sparseBody,
  ].join('\n')
}

/** Operands of a 2:4 side besides its values. */
export function sparseOperands({ sparse }: Side): (OperandSpec & { readonly ref: TensorRef })[] {
  if (sparse === undefined) return []
  const { positions, share, scales } = sparse
  const own = { access: 'read', width: 4 } as const
  return [
    { name: 'seats', dtype: 'u32', ...own, ...(share === 1 ? {} : { width: 1 }), ref: { kind: 'input', index: positions.input } },
    ...(scales === undefined
      ? []
      : [{ name: 'scales', dtype: 'f32', ...own, ref: { kind: 'input', index: scales.input } } as const]),
  ]
}

/**
 * Params of a 2:4 side, all u32: words of a column, values between panels, where seats are shared their step from word to word, and of
 * scales the step from block to block.
 */
export function sparseParams({ depth, b: { sparse } }: Pick<Product, 'b' | 'depth'>): Record<string, number> {
  if (sparse === undefined) return {}
  const { scales, share, bits, positions } = sparse
  const words = wordsOf(depth)
  return {
    seats_words: words,
    panel_values: PANEL * words * (bits === 4 ? WORD_GROUPS : WORD_VALUES),
    ...(share === 1 ? {} : { seats_step: positions.type.shape.at(-1) ?? 0 }),
    ...(scales === undefined ? {} : { scales_step: scales.type.shape[1] ?? 0, scales_groups: Math.ceil(scales.block / GROUP) }),
  }
}

/**
 * Accesses to B and what belongs to it: `dense` elements, or, where it is 2:4, `calls` of right_block and right_across, each of which loads
 * both kept values of a group in four columns, their seats and their scales.
 */
export function rightAccesses({ b: { sparse } }: Pick<Product, 'b'>, dense: number, calls: number): Accesses {
  if (sparse === undefined) return { b: { loads: dense, stores: 0 } }
  const { bits, share, scales } = sparse
  return {
    b: { loads: calls * (bits === 4 ? 1 : KEPT) * 4, stores: 0 },
    seats: { loads: calls * (share === 1 ? 4 : 1), stores: 0 },
    ...(scales === undefined ? {} : { scales: { loads: 4 * calls, stores: 0 } }),
  }
}
