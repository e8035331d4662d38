/**
 * Filters as kernels read them, prepared once from W [M, C/groups, taps]:
 *
 *     packed [group][tap][channel][filter, in whole quads]      a column of filters for each element of a window
 */
import { deviceByteSize, type Preparation } from '../../gpu/program.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { copyDispatch } from '../movement/copy.ts'
import { INPUT, tapsOf, type Convolution } from './convolution.ts'

/** Filters of a group in whole quads; those past the last are undefined. */
export function paddedFilters({ filters }: Pick<Convolution, 'filters'>): number {
  return 4 * Math.ceil(filters / 4)
}

export function packedType(conv: Convolution): TensorType {
  const { groups, channels, w } = conv
  return { dtype: w.dtype, shape: [groups, tapsOf(conv), channels, paddedFilters(conv)] }
}

/** Prepares the packed filters as the plan's `index`-th prepared tensor. */
export function packFilters(conv: Convolution, index: number): Preparation {
  const { groups, channels, filters, w } = conv
  const taps = tapsOf(conv)
  const type = packedType(conv)
  const step = paddedFilters(conv)
  const nest = {
    extents: [groups, taps, channels, filters],
    strides: [
      [filters * channels * taps, 1, taps, channels * taps],
      [taps * channels * step, channels * step, step, 1],
    ],
  } as const
  const dispatch = copyDispatch(
    conv.op,
    nest,
    { type: w, ref: { kind: 'input', index: INPUT.w } },
    { type, ref: { kind: 'prepared', index } },
  )
  return { type, from: INPUT.w, dispatches: [dispatch] }
}

/** Bytes of tensors if every word moved once. */
export function bytesOf(types: readonly (TensorType | undefined)[]): number {
  return types.reduce(
    (sum, type) =>
      sum + (type === undefined ? 0 : type.shape.reduce((size, extent) => size * extent, 1) * deviceByteSize(type.dtype)),
    0,
  )
}
