/**
 * Weights in 2:4 as the right side of a product of bytes (packed-dot.ts). Every core of those can have them: a reader puts the two bytes
 * that a group keeps where they sit. For a few rows there are two walks of their own, which load seats once for eight groups:
 *
 *     vector   the bytes of two groups become two words with zeros between: two dot products a row, like the dense core's
 *     gather   a row's bytes in the seats alone are multiplied: gathered into one word for one dot product, or one by one
 */
import right from '../../../../shaders/gemm/integer/right-two-of-four.wgsl?raw'
import placedExpand from '../../../../shaders/gemm/integer/placed-expand.wgsl?raw'
import placedGather from '../../../../shaders/gemm/integer/placed-gather.wgsl?raw'
import placedPick from '../../../../shaders/gemm/integer/placed-pick.wgsl?raw'
import walk from '../../../../shaders/gemm/integer/walk-two-of-four.wgsl?raw'
import sparseSeats from '../../../../shaders/gemm/read/sparse_seats.wgsl?raw'
import sparseShared from '../../../../shaders/gemm/read/sparse_shared.wgsl?raw'
import type { DeviceFacts, OperandSpec } from '../../../gpu/program.ts'
import { WORD_VALUES, wordsOf } from '../../../sparsity/two-of-four.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { PANEL } from '../product.ts'
import { vectorCore, VECTOR_ROWS, type IntegerCore } from './packed-cores.ts'

/** What makes B 2:4. B is then i8 [panels, 4 · words, PANEL, 4]: words of kept bytes, in panels of lines (product.ts). */
export interface TwoOfFourBytes {
  /** u32 [panels, words, PANEL], or [words, ⌈lines / share⌉] where lines share them. */
  readonly positions: { readonly input: number; readonly type: TensorType }
  readonly share: number
}

/** Kernels that only weights in 2:4 have, besides those of every product of bytes. */
export const TWO_OF_FOUR_KERNELS = ['gather-packed', 'gather-unpacked'] as const

/**
 * The rule where it is not that of any product of bytes: gathering halves the multiplications and costs shifts. Where four of them are one
 * instruction it does not pay; where they are taken apart it does, on a GPU for the few rows that one reading of the weights serves. In
 * software it does for any number of rows: about 1.8 times the dense product's speed at 64 and at 512.
 */
export function twoOfFourRule(
  { rows }: { readonly rows: number },
  packed: boolean,
  { software }: DeviceFacts,
): { readonly kernel: (typeof TWO_OF_FOUR_KERNELS)[number]; readonly reason: string } | undefined {
  if (!software && (packed || rows > VECTOR_ROWS)) return undefined
  const why = software ? 'in software multiplications cost' : 'a dot product of bytes is no instruction here'
  return { kernel: 'gather-unpacked', reason: `${rows} rows of bytes, only kept weights multiplied, as ${why}` }
}

/** WGSL that reads the right side. */
export function twoOfFourText({ share }: TwoOfFourBytes): string {
  const sizes = Object.entries({ PANEL, WORD_VALUES, SHARE: share }).map(([name, size]) => `const ${name} = ${size}u;`)
  const seats = (share === 1 ? sparseSeats : sparseShared).replaceAll('slice.SIDE', 'slice.b').replaceAll('SIDE', 'right')
  return [...sizes, seats, right].join('\n')
}

export function twoOfFourOperand({ share }: TwoOfFourBytes): OperandSpec {
  return { name: 'seats', dtype: 'u32', access: 'read', width: share === 1 ? 4 : 1 }
}

/** Params, all u32: words of a column and, where seats are shared, their step from word to word. */
export function twoOfFourParams({ share, positions }: TwoOfFourBytes, depth: number): Record<string, number> {
  return { seats_words: wordsOf(depth), ...(share === 1 ? {} : { seats_step: positions.type.shape.at(-1) ?? 0 }) }
}

/** The core for a few rows: `vector-…` or `gather-…`. Lanes of a panel lie side by side in memory; the rest of a workgroup shares the depth. */
export function twoOfFourCore(
  kernel: string,
  { rows, columns, depth }: { readonly rows: number; readonly columns: number; readonly depth: number },
  device: DeviceFacts,
): IntegerCore {
  const words = wordsOf(depth)
  const along = device.software || words < 2 ? 1 : Math.min(16, 2 ** Math.floor(Math.log2(words)))
  const placed = kernel === 'gather-packed' ? placedGather : kernel === 'gather-unpacked' ? placedPick : placedExpand
  return vectorCore(`${placed}\n${walk}`, rows, columns, [PANEL / 4, along], device)
}
