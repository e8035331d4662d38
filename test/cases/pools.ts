/** Cases of the pools. */
import { averagePool } from '../../src/ops/average-pool/op.ts'
import { globalAveragePool } from '../../src/ops/global-average-pool/op.ts'
import { globalMaxPool } from '../../src/ops/global-max-pool/op.ts'
import { maxPool } from '../../src/ops/max-pool/op.ts'
import type { Case, CaseTable } from './case.ts'

/** Windows in the layouts whose channels lie side by side: quads of channels, and channels that are none. */
const IN_LAYOUTS: readonly Case[] = [
  { name: 'nhwc, quads', inputs: [[2, 13, 11, 8]], attributes: { kernel: 3, stride: 2, padding: 1, layout: 'nhwc' } },
  { name: 'nhwc, 5 channels', inputs: [[2, 9, 7, 5]], attributes: { kernel: [3, 2], pads: [2, 0, 1, 1], layout: 'nhwc' } },
  {
    name: 'nhwc, 3-D',
    inputs: [[1, 5, 6, 7, 4]],
    attributes: { kernel: 2, stride: [1, 2, 3], dilation: [1, 2, 1], layout: 'nhwc' },
  },
  { name: 'nhwc, 1-D', inputs: [[2, 17, 3]], attributes: { kernel: [4], stride: 3, pads: [1, 2], layout: 'nhwc' } },
  { name: 'nchw4', inputs: [[2, 2, 9, 8, 4]], attributes: { kernel: 3, stride: 2, padding: 1, ceilMode: true, layout: 'nchw4' } },
  { name: 'placed, nhwc', inputs: [[2, 9, 8, 8]], attributes: { kernel: 2, layout: 'nhwc', place: { channels: 20, first: 4 } } },
  {
    name: 'placed, nhwc, odd',
    inputs: [[2, 9, 8, 8]],
    attributes: { kernel: 2, layout: 'nhwc', place: { channels: 11, first: 3 } },
  },
  { name: 'placed, nchw', inputs: [[1, 3, 9, 8]], attributes: { kernel: 2, place: { channels: 7, first: 2 } } },
  {
    name: 'placed, nchw4',
    inputs: [[1, 1, 9, 8, 4]],
    attributes: { kernel: 2, layout: 'nchw4', place: { channels: 12, first: 8 } },
  },
  { name: 'nhwc, special values', data: 'special', inputs: [[1, 9, 9, 4]], attributes: { kernel: 2, stride: 1, layout: 'nhwc' } },
]

/** Windows that both pools take. */
const WINDOWS: readonly Case[] = [
  { name: '1×1', inputs: [[1, 1, 1, 1]], attributes: { kernel: 1 } },
  { name: '3×3 stride 2', inputs: [[2, 5, 13, 11]], attributes: { kernel_shape: [3, 3], strides: [2, 2] } },
  { name: '2×3 stride 3×1', inputs: [[1, 3, 10, 8]], attributes: { kernel_shape: [2, 3], strides: [3, 1] } },
  { name: 'stride 4', inputs: [[1, 3, 17, 19]], attributes: { kernel: 5, stride: 4 } },
  { name: 'asymmetric padding', inputs: [[1, 3, 7, 6]], attributes: { kernel_shape: [3, 4], pads: [2, 0, 1, 3] } },
  { name: 'dilation', inputs: [[1, 2, 11, 12]], attributes: { kernel_shape: [3, 3], dilations: [2, 3], pads: [1, 2, 1, 2] } },
  { name: 'ceil mode', inputs: [[1, 4, 8, 9]], attributes: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 } },
  {
    name: 'ceil mode, last window starts in the padding',
    inputs: [[1, 2, 6, 6]],
    attributes: { kernel: 1, stride: 3, padding: [0, 0, 1, 1], ceil_mode: 1 },
  },
  {
    name: 'ceil mode, padding, dilation',
    inputs: [[1, 2, 10, 7]],
    attributes: { kernel: 2, stride: 3, dilation: 2, padding: 1, ceilMode: true },
  },
  { name: 'same upper', inputs: [[1, 2, 7, 8]], attributes: { kernel_shape: [3, 2], strides: [2, 3], auto_pad: 'SAME_UPPER' } },
  { name: 'same lower', inputs: [[1, 2, 7, 8]], attributes: { kernel_shape: [4, 2], strides: [2, 1], auto_pad: 'SAME_LOWER' } },
  { name: 'valid', inputs: [[1, 2, 7, 8]], attributes: { kernel_shape: [4, 2], auto_pad: 'VALID' } },
  { name: '1-D', inputs: [[2, 3, 17]], attributes: { kernel_shape: [4], strides: [3], pads: [1, 2] } },
  {
    name: '3-D',
    inputs: [[1, 2, 5, 6, 7]],
    attributes: { kernel_shape: [2, 3, 2], strides: [1, 2, 3], pads: [1, 0, 1, 0, 1, 0], dilations: [1, 2, 1] },
  },
  { name: 'empty batch', inputs: [[0, 2, 4, 4]], attributes: { kernel: 2 } },
  { name: 'many workgroups', inputs: [[1, 1, 2, 4_200_100]], attributes: { kernel: [2, 1] }, dtypes: ['f32'] },
  { name: 'special values', data: 'special', inputs: [[1, 3, 9, 9]], attributes: { kernel: 2, stride: 1 } },
  { name: 'integers', data: 'integers', inputs: [[1, 3, 9, 9]], attributes: { kernel: 2, stride: 1, padding: 1 } },
]

export const MAX_POOL: CaseTable = {
  definition: maxPool,
  cases: [
    ...WINDOWS,
    ...IN_LAYOUTS,
    { name: 'nhwc, u8', inputs: [[2, 9, 8, 4]], attributes: { kernel: 3, stride: 2, padding: 1, layout: 'nhwc' }, dtypes: ['u8'] },
    { name: 'i8 and u8', inputs: [[2, 3, 9, 8]], attributes: { kernel: 3, stride: 2, padding: 1 }, dtypes: ['i8', 'u8'] },
    {
      name: 'indices',
      inputs: [[2, 3, 9, 8]],
      attributes: { kernel: 3, stride: 2, padding: 1, indices: true },
      dtypes: ['f32', 'f16', 'u8'],
    },
    {
      name: 'indices of equals',
      data: 'integers',
      inputs: [[2, 3, 9, 8]],
      attributes: { kernel: 4, indices: true },
      dtypes: ['f16'],
    },
    {
      name: 'indices, column-major',
      inputs: [[2, 3, 9, 8]],
      attributes: { kernel: 3, stride: 2, indices: true, storage_order: 1 },
    },
    { name: 'indices, column-major, 3-D', inputs: [[2, 2, 4, 5, 3]], attributes: { kernel: 2, indices: true, storage_order: 1 } },
    {
      name: 'a window of padding',
      inputs: [[1, 1, 3, 3]],
      attributes: { kernel: 2, stride: 1, padding: 3 },
      dtypes: ['f32', 'f16', 'i8'],
    },
  ],
}

/** Means of integers are no integers, so that case says nothing here. */
const AVERAGED = WINDOWS.filter(({ data }) => data !== 'integers')

export const AVERAGE_POOL: CaseTable = {
  definition: averagePool,
  cases: [
    ...AVERAGED,
    // A large map takes the reference ten seconds: once is enough.
    ...AVERAGED.filter(({ name }) => name !== 'many workgroups').map((entry) => ({
      ...entry,
      name: `${entry.name}, padding counted`,
      attributes: { ...entry.attributes, count_include_pad: 1 },
    })),
  ],
}

const PLANES: readonly Case[] = [
  { name: '13×13', inputs: [[2, 37, 13, 13]] },
  { name: '1×1', inputs: [[3, 5, 1, 1]] },
  { name: 'one long axis', inputs: [[1, 2, 1001]] },
  { name: '3-D', inputs: [[1, 3, 2, 3, 5]] },
  { name: 'no spatial axes', inputs: [[3, 5]] },
  { name: 'empty batch', inputs: [[0, 5, 2, 2]] },
  { name: 'many workgroups', inputs: [[70_000, 1, 2]], dtypes: ['f32'] },
  { name: 'special values', data: 'special', inputs: [[1, 40, 2, 3]] },
  { name: 'nhwc, quads', inputs: [[2, 7, 6, 44]], attributes: { layout: 'nhwc' } },
  { name: 'nhwc, 13 channels', inputs: [[2, 5, 5, 13]], attributes: { layout: 'nhwc' } },
  { name: 'nhwc, one channel', inputs: [[3, 5, 7, 1]], attributes: { layout: 'nhwc' } },
  { name: 'nchw4', inputs: [[2, 3, 5, 7, 4]], attributes: { layout: 'nchw4' } },
]

export const GLOBAL_MAX_POOL: CaseTable = { definition: globalMaxPool, cases: PLANES }
export const GLOBAL_AVERAGE_POOL: CaseTable = { definition: globalAveragePool, cases: PLANES }
