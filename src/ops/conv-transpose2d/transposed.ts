/** A transposed convolution as data, as `Convolution` of conv2d is one: what its algorithms see of the op. */
import type { TensorType } from '../../tensor/tensor.ts'
import type { Activation } from '../gemm/activation.ts'
import type { Layout } from '../layout.ts'
import type { Place } from '../place.ts'
import type { TransposedAxis } from './phases.ts'

export interface Transposed {
  /** The op, for labels and errors. */
  readonly op: string
  readonly batch: number
  readonly groups: number
  /** Of one group. */
  readonly channels: number
  /** Of one group. */
  readonly filters: number
  /** Depth, height, width; those that the op lacks have extent and kernel 1. */
  readonly axes: readonly [z: TransposedAxis, y: TransposedAxis, x: TransposedAxis]
  /** Of X. */
  readonly layout: Layout
  /** Of Y and the residual. */
  readonly outputLayout: Layout
  /** Input 0. */
  readonly x: TensorType
  /** Input 1, [C, M/groups, …kernel]. */
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
  /** Y is some channels of a larger map. */
  readonly place?: Place
}

/** Multiply-accumulates: every value of X meets every tap. */
export function macsOf({
  batch,
  groups,
  channels,
  filters,
  axes,
}: Pick<Transposed, 'batch' | 'groups' | 'channels' | 'filters' | 'axes'>): number {
  return axes.reduce((macs, { input, kernel }) => macs * input * kernel, batch * groups * channels * filters)
}
