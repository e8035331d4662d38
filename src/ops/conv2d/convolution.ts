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
import type { WindowAxis } from '../window.ts'

/**
 * How values of N pictures of C channels lie: channels outermost [N, C, …], channels innermost [N, …, C], or channels in quads
 * [N, ⌈C/4⌉, …, 4], of which those past the last are undefined.
 */
export const LAYOUTS = ['nchw', 'nhwc', 'nchw4'] as const
export type Layout = (typeof LAYOUTS)[number]

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
  /** Of X, the residual and Y. */
  readonly layout: Layout
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
  readonly output: TensorType
  /**
   * The most that an algorithm's own rounding may add, relative to Σ|w||x| over the patch that it works on at once; algorithms whose
   * `error` is larger are refused. Absent: the default of choose.ts.
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

/** Multiply-accumulates of the definition, zero padding included. */
export function macsOf(conv: Pick<Convolution, 'batch' | 'groups' | 'filters' | 'channels' | 'axes'>): number {
  const { batch, groups, channels, filters } = conv
  return batch * groups * filters * pixelsOf(conv) * channels * tapsOf(conv)
}

/** Strides in elements of a tensor in a layout: of a picture, a channel (within its quad in nchw4), and the three axes. */
export interface LayoutStrides {
  readonly picture: number
  readonly channel: number
  /** Of a quad of channels. */
  readonly quad: number
  readonly z: number
  readonly y: number
  readonly x: number
}

/** @param channels of all groups; extents of depth, height and width */
export function layoutStrides(
  layout: Layout,
  channels: number,
  [depth, height, width]: readonly [number, number, number],
): LayoutStrides {
  const plane = depth * height * width
  switch (layout) {
    case 'nchw':
      return { picture: channels * plane, channel: plane, quad: 4 * plane, z: height * width, y: width, x: 1 }
    case 'nhwc':
      return {
        picture: channels * plane,
        channel: 1,
        quad: 4,
        z: height * width * channels,
        y: width * channels,
        x: channels,
      }
    case 'nchw4':
      return {
        picture: 4 * Math.ceil(channels / 4) * plane,
        channel: 1,
        quad: 4 * plane,
        z: 4 * height * width,
        y: 4 * width,
        x: 4,
      }
  }
}
