/**
 * A convolution as data: sizes, where the operands lie, what happens to a sum before it is stored. Algorithms (algorithm.ts) see
 * nothing else of an op. Think of it as the `Product` of src/ops/gemm for windows that slide:
 *
 *     Y[n][g·M+m][t, p, q] = activation(Σ_c Σ_taps W[g·M+m][c][tap] · X[n][g·C+c][window(t, p, q) + tap] + B[g·M+m] + R[same as Y])
 *
 * There are always three spatial axes, from the outermost in; those that the op lacks have extent and kernel 1.
 */
import type { TensorType } from '../../tensor/tensor.ts'
import type { Activation } from '../gemm/activation.ts'
import type { Layout, LayoutStrides } from '../layout.ts'
import { placeOf, type Place } from '../place.ts'
import type { WindowAxis } from '../window.ts'

export { LAYOUTS, layoutStrides, type Layout, type LayoutStrides } from '../layout.ts'

/** Input indices of the op. */
export const INPUT = { x: 0, w: 1, bias: 2, residual: 3 } as const

export interface Convolution {
  /** The op, for labels and errors. */
  readonly op: string
  readonly batch: number
  readonly groups: number
  /** Of one group. */
  readonly channels: number
  /** Of one group. */
  readonly filters: number
  /** Depth, height, width. */
  readonly axes: readonly [z: WindowAxis, y: WindowAxis, x: WindowAxis]
  /** Of X. */
  readonly layout: Layout
  /** Of Y and the residual. Algorithms that take one that differs from X's say so (`Algorithm.mixes`); others are refused then. */
  readonly outputLayout: Layout
  /** Input 0. */
  readonly x: TensorType
  /** Input 1, [M, C/groups, …kernel]. */
  readonly w: TensorType
  /** Input 2, [M]. */
  readonly bias?: TensorType
  /** Input 3, like Y. */
  readonly residual?: TensorType
  readonly activation: Activation
  /** What sums are kept in. */
  readonly accumulate: 'f32' | 'f16'
  /** Y by itself: where it is placed in a larger map, what is bound is that. */
  readonly output: TensorType
  /** Y is some channels of a larger map, see `outputPlace`. Algorithms that can store so say so (`Algorithm.places`). */
  readonly place?: Place
  /** The filters hold 2:4 along their channels (src/ops/gemm/packed.ts). Algorithms that read them so say so (`Algorithm.sparse`). */
  readonly sparsity?: '2:4'
  /**
   * The most that an algorithm's `error` may be, relative to the magnitude of the patch that it works on at once (tolerance.ts).
   * Absent: `DEFAULT_MAX_ERROR` of algorithm.ts.
   */
  readonly maxError?: number
}

/** Positions of the window in a picture. */
export function pixelsOf({ axes }: Pick<Convolution, 'axes'>): number {
  return axes.reduce((count, { output }) => count * output, 1)
}

/** Elements of the window: the terms of a sum for each channel. */
export function tapsOf({ axes }: Pick<Convolution, 'axes'>): number {
  return axes.reduce((count, { kernel }) => count * kernel, 1)
}

/** Where Y's elements lie: strides, and the first of them. */
export function outputPlace({
  outputLayout,
  groups,
  filters,
  axes: [z, y, x],
  place,
}: Pick<Convolution, 'outputLayout' | 'groups' | 'filters' | 'axes' | 'place'>): { strides: LayoutStrides; offset: number } {
  return placeOf(outputLayout, groups * filters, [z.output, y.output, x.output], place)
}

/** Multiply-accumulates of the definition, zero padding included. */
export function macsOf(conv: Pick<Convolution, 'batch' | 'groups' | 'filters' | 'channels' | 'axes'>): number {
  const { batch, groups, channels, filters } = conv
  return batch * groups * filters * pixelsOf(conv) * channels * tapsOf(conv)
}
