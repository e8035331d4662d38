/** Cases of conv2d. */
import { conv2d } from '../../src/ops/conv2d/op.ts'
import type { CaseTable } from './case.ts'

export const CONV2D: CaseTable = {
  definition: conv2d,
  cases: [
    { name: 'one of everything', inputs: [[1, 1, 1, 1], [1, 1, 1, 1], null] },
    { name: '3×3, bias', inputs: [[1, 3, 7, 9], [6, 3, 3, 3], [6]] },
    { name: 'prime sizes', inputs: [[1, 13, 17, 19], [37, 13, 5, 3], [37]], attributes: { pads: [2, 1, 2, 1] } },
    { name: 'asymmetric padding', inputs: [[1, 2, 8, 6], [8, 2, 3, 3], null], attributes: { pads: [0, 2, 3, 1] } },
    { name: 'batch 3', inputs: [[3, 4, 6, 5], [70, 4, 3, 3], [70]] },
    ...[2, 3, 4].map((stride) => ({
      name: `stride ${stride}`,
      inputs: [[2, 3, 15, 14], [18, 3, 3, 3], [18]],
      attributes: { strides: [stride, stride], pads: [1, 1, 1, 1] },
    })),
    { name: 'strides apart', inputs: [[1, 3, 15, 14], [9, 3, 3, 2], [9]], attributes: { strides: [1, 3] } },
    { name: 'dilation', inputs: [[1, 5, 13, 16], [7, 5, 3, 3], [7]], attributes: { dilations: [2, 3], pads: [2, 3, 2, 3] } },
    { name: 'groups 2', inputs: [[2, 6, 9, 9], [10, 3, 3, 3], [10]], attributes: { group: 2, pads: [1, 1, 1, 1] } },
    { name: 'groups 3, few filters', inputs: [[1, 6, 5, 5], [9, 2, 3, 3], [9]], attributes: { group: 3 } },
    { name: 'depthwise', inputs: [[2, 11, 9, 7], [11, 1, 3, 3], [11]], attributes: { group: 11, pads: [1, 1, 1, 1] } },
    { name: 'depthwise, multiplier 5', inputs: [[1, 3, 9, 7], [15, 1, 3, 3], [15]], attributes: { group: 3, strides: [2, 2] } },
    { name: '1×1', inputs: [[1, 16, 7, 7], [33, 16, 1, 1], [33]] },
    { name: 'as large as its input', inputs: [[1, 12, 5, 5], [43, 12, 5, 5], [43]] },
    { name: 'as large as its input, batch', inputs: [[5, 12, 5, 5], [43, 12, 5, 5], [43]] },
    { name: 'one channel, one row', inputs: [[1, 1, 1, 40], [20, 1, 1, 7], null] },
    { name: '1-D', inputs: [[2, 4, 23], [6, 4, 5], [6]], attributes: { strides: [2], pads: [1, 3], dilations: [2] } },
    { name: 'same upper', inputs: [[1, 2, 7, 8], [5, 2, 4, 3], null], attributes: { auto_pad: 'SAME_UPPER', strides: [2, 3] } },
    { name: 'same lower', inputs: [[1, 2, 7, 8], [5, 2, 4, 3], null], attributes: { auto_pad: 'SAME_LOWER', strides: [2, 3] } },
    { name: 'valid', inputs: [[1, 2, 7, 8], [5, 2, 4, 3], null], attributes: { auto_pad: 'VALID' } },
    { name: 'relu', inputs: [[1, 3, 6, 6], [7, 3, 3, 3], [7]], attributes: { activation: 'relu' } },
    {
      name: 'nchw to nhwc, batch 2, residual',
      inputs: [[2, 3, 9, 8], [12, 3, 3, 3], [12], [2, 5, 4, 12]],
      attributes: { layout: 'nchw', outputLayout: 'nhwc', stride: 2, padding: 1 },
    },
    { name: 'nchw to nhwc, 1×1', inputs: [[2, 6, 5, 4], [8, 6, 1, 1], [8]], attributes: { outputLayout: 'nhwc' } },
    {
      name: 'nhwc to nchw, groups',
      inputs: [[2, 7, 6, 8], [12, 4, 3, 3], [12]],
      attributes: { layout: 'nhwc', outputLayout: 'nchw', group: 2 },
    },
    {
      name: 'nhwc to nchw4, depthwise',
      inputs: [[1, 7, 6, 8], [8, 1, 3, 3], [8]],
      attributes: { layout: 'nhwc', outputLayout: 'nchw4', group: 8 },
    },
    { name: 'nchw4 to nhwc', inputs: [[2, 2, 5, 6, 4], [7, 8, 3, 3], [7]], attributes: { layout: 'nchw4', outputLayout: 'nhwc' } },
    { name: 'no input channels', inputs: [[1, 0, 4, 4], [6, 0, 3, 3], [6]] },
    { name: 'empty batch', inputs: [[0, 3, 4, 4], [6, 3, 3, 3], [6]] },
    { name: 'no filters', inputs: [[1, 3, 4, 4], [0, 3, 3, 3], [0]] },
    { name: 'integers', data: 'integers', inputs: [[2, 19, 11, 9], [34, 19, 3, 3], [34]], attributes: { pads: [1, 1, 1, 1] } },
    {
      name: 'integers, depthwise',
      data: 'integers',
      inputs: [[2, 7, 11, 9], [7, 1, 3, 3], [7]],
      attributes: { group: 7, activation: 'relu' },
    },
    { name: 'integers, vector', data: 'integers', inputs: [[1, 31, 3, 3], [70, 31, 3, 3], [70]] },
    { name: 'special values', data: 'special', inputs: [[1, 3, 9, 9], [5, 3, 2, 2], [5]], attributes: { pads: [1, 0, 0, 1] } },
    {
      name: 'special values, depthwise, relu',
      data: 'special',
      inputs: [[1, 8, 9, 9], [8, 1, 2, 2], [8]],
      attributes: { group: 8, activation: 'relu' },
    },
  ],
}
