/** Cases of lrn, batchNorm and softmax. */
import { batchNorm } from '../../src/ops/batch-norm/op.ts'
import { lrn } from '../../src/ops/lrn/op.ts'
import { softmax } from '../../src/ops/softmax/op.ts'
import type { CaseTable } from './case.ts'

export const LRN: CaseTable = {
  definition: lrn,
  cases: [
    { name: 'AlexNet', inputs: [[1, 96, 5, 5]], attributes: { size: 5, alpha: 1e-4, beta: 0.75, bias: 2 } },
    { name: 'defaults', inputs: [[2, 7, 3, 5]], attributes: { size: 3 } },
    { name: 'even size', inputs: [[1, 9, 4]], attributes: { size: 4, alpha: 0.5, beta: 0.5 } },
    { name: 'more than the channels', inputs: [[1, 3, 2, 2]], attributes: { size: 11, alpha: 2 } },
    { name: 'one channel', inputs: [[5, 1, 3, 3]], attributes: { size: 5, alpha: 1, beta: 1.5 } },
    { name: 'no spatial axes', inputs: [[5, 8]], attributes: { size: 3, alpha: 1 } },
    { name: 'empty', inputs: [[0, 8, 2, 2]], attributes: { size: 3 } },
    { name: 'special values', data: 'special', inputs: [[2, 9, 3, 3]], attributes: { size: 3, alpha: 1 } },
    { name: 'nhwc', inputs: [[2, 3, 5, 11]], attributes: { size: 5, alpha: 1, layout: 'nhwc' } },
    { name: 'nchw4', inputs: [[2, 3, 5, 2, 4]], attributes: { size: 5, alpha: 1, layout: 'nchw4' } },
  ],
}

export const BATCH_NORM: CaseTable = {
  definition: batchNorm,
  cases: [
    { name: 'planes', inputs: [[2, 7, 5, 3], [7], [7], [7], [7]], positive: [4] },
    { name: 'epsilon', inputs: [[1, 3, 4], [3], [3], [3], [3]], positive: [4], attributes: { epsilon: 0.01 } },
    { name: 'no spatial axes', inputs: [[6, 5], [5], [5], [5], [5]], positive: [4] },
    { name: 'a vector', inputs: [[6], [1], [1], [1], [1]], positive: [4] },
    { name: '3-D', inputs: [[1, 2, 3, 4, 5], [2], [2], [2], [2]], positive: [4] },
    { name: 'empty', inputs: [[0, 3, 2], [3], [3], [3], [3]], positive: [4] },
    { name: 'nhwc', inputs: [[2, 5, 3, 7], [7], [7], [7], [7]], positive: [4], attributes: { layout: 'nhwc' } },
    { name: 'nchw4', inputs: [[2, 2, 5, 3, 4], [8], [8], [8], [8]], positive: [4], attributes: { layout: 'nchw4' } },
    { name: 'special values', data: 'special', inputs: [[2, 31, 4], [31], [31], [31], [31]], positive: [4] },
  ],
}

export const SOFTMAX: CaseTable = {
  definition: softmax,
  cases: [
    { name: 'a vector', inputs: [[10]] },
    { name: 'one value', inputs: [[3, 1]] },
    { name: 'a long row', inputs: [[2, 1000]] },
    { name: 'rows of 33', inputs: [[5, 33]] },
    { name: 'rows of 32', inputs: [[5, 32]] },
    { name: 'axis 0', inputs: [[5, 7]], attributes: { axis: 0 } },
    { name: 'axis 1 of 4', inputs: [[2, 70, 3, 2]], attributes: { axis: 1 } },
    { name: 'axis −2', inputs: [[2, 5, 7]], attributes: { axis: -2 } },
    { name: 'legacy', inputs: [[2, 5, 7]], attributes: { legacy: true } },
    { name: 'legacy, axis 0', inputs: [[2, 5, 7]], attributes: { legacy: true, axis: 0 } },
    { name: 'legacy, axis 2', inputs: [[2, 5, 7]], attributes: { legacy: true, axis: 2 } },
    { name: 'empty', inputs: [[0, 5]] },
    { name: 'empty axis', inputs: [[3, 0]] },
    { name: 'many workgroups', inputs: [[65_600, 33]], dtypes: ['f32'] },
    { name: 'special values', data: 'special', inputs: [[9, 5]] },
    { name: 'special values, long', data: 'special', inputs: [[4, 70]] },
  ],
}
