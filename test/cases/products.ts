/** Cases of gemm, matmul and linear. */
import { gemm } from '../../src/ops/gemm/op.ts'
import { linear } from '../../src/ops/linear/op.ts'
import { matmul } from '../../src/ops/matmul/op.ts'
import type { CaseTable } from './case.ts'

export const GEMM: CaseTable = {
  definition: gemm,
  cases: [
    { name: '1×1×1', inputs: [[1, 1], [1, 1], null] },
    { name: 'odd sizes', inputs: [[13, 37], [37, 71], null] },
    { name: 'a tile and one more', inputs: [[65, 17], [17, 65], [65]] },
    { name: 'K = 1', inputs: [[33, 1], [1, 29], [29]] },
    {
      name: 'K = 0 is C',
      inputs: [
        [3, 0],
        [0, 5],
        [3, 5],
      ],
      attributes: { beta: 2 },
    },
    { name: 'K = 0 without C is 0', inputs: [[3, 0], [0, 5], null] },
    { name: 'empty', inputs: [[0, 4], [4, 5], [5]] },
    { name: 'transA', inputs: [[37, 13], [37, 71], null], attributes: { transA: 1 } },
    { name: 'transB', inputs: [[13, 37], [71, 37], null], attributes: { transB: 1 } },
    {
      name: 'both, alpha, beta',
      inputs: [
        [37, 13],
        [71, 37],
        [13, 71],
      ],
      attributes: { transA: 1, transB: 1, alpha: 0.25, beta: -0.35 },
    },
    {
      name: 'C a column',
      inputs: [
        [20, 9],
        [9, 18],
        [20, 1],
      ],
      attributes: { beta: 3 },
    },
    { name: 'C a scalar', inputs: [[20, 9], [9, 18], []] },
    {
      name: 'C one row',
      inputs: [
        [20, 9],
        [9, 18],
        [1, 18],
      ],
    },
    { name: 'one row', inputs: [[1, 77], [77, 131], [131]] },
    { name: 'one row, transB', inputs: [[1, 77], [131, 77], [131]], attributes: { transB: 1 } },
    {
      name: 'one column',
      inputs: [
        [131, 77],
        [77, 1],
        [131, 1],
      ],
    },
    {
      name: 'one column, transA',
      inputs: [
        [77, 131],
        [77, 1],
        [131, 1],
      ],
      attributes: { transA: 1, alpha: 0.5 },
    },
    { name: 'a dot product', inputs: [[1, 1001], [1001, 1], [1]] },
    { name: 'two rows', inputs: [[2, 300], [300, 130], [130]] },
    { name: 'integers', data: 'integers', inputs: [[67, 130], [130, 70], [70]], attributes: { alpha: 2, beta: -3 } },
    { name: 'special values', data: 'special', inputs: [[23, 5], [5, 21], [21]] },
    { name: 'beta 0 does not read C', data: 'special', inputs: [[3, 5], [5, 21], [21]], attributes: { beta: 0 } },
  ],
}

export const MATMUL: CaseTable = {
  definition: matmul,
  cases: [
    {
      name: 'matrices',
      inputs: [
        [19, 23],
        [23, 29],
      ],
    },
    { name: 'vector × vector', inputs: [[23], [23]] },
    { name: 'vector × matrix', inputs: [[23], [23, 5]] },
    { name: 'matrix × vector', inputs: [[19, 23], [23]] },
    { name: 'vector × batch', inputs: [[7], [3, 7, 5]] },
    { name: 'batch × vector', inputs: [[3, 2, 9, 7], [7]] },
    {
      name: 'batch × batch',
      inputs: [
        [2, 3, 9, 7],
        [2, 3, 7, 5],
      ],
    },
    {
      name: 'batch × one matrix',
      inputs: [
        [2, 3, 9, 7],
        [7, 18],
      ],
    },
    {
      name: 'one matrix × batch',
      inputs: [
        [9, 7],
        [2, 3, 7, 5],
      ],
    },
    {
      name: 'both broadcast',
      inputs: [
        [2, 1, 4, 9, 7],
        [3, 1, 7, 5],
      ],
    },
    {
      name: 'six batch dimensions, alternating',
      inputs: [
        [2, 1, 3, 1, 2, 1, 3, 4],
        [1, 2, 1, 2, 1, 3, 4, 2],
      ],
    },
    {
      name: 'K = 0',
      inputs: [
        [2, 3, 0],
        [2, 0, 4],
      ],
    },
    {
      name: 'empty batch',
      inputs: [
        [0, 3, 2],
        [0, 2, 4],
      ],
    },
    {
      name: 'many workgroups',
      inputs: [
        [66_000, 2, 1],
        [66_000, 1, 2],
      ],
    },
    {
      name: 'integers',
      data: 'integers',
      inputs: [
        [4, 33, 65],
        [4, 65, 31],
      ],
    },
    {
      name: 'special values',
      data: 'special',
      inputs: [
        [3, 9, 5],
        [3, 5, 7],
      ],
    },
  ],
}

export const LINEAR: CaseTable = {
  definition: linear,
  cases: [
    { name: 'batch 1', inputs: [[1, 131], [67, 131], [67]] },
    { name: 'batch 1 without bias', inputs: [[1, 131], [67, 131], null] },
    { name: 'batch 5', inputs: [[5, 131], [67, 131], [67]] },
    { name: 'batch 70', inputs: [[70, 31], [67, 31], [67]] },
    { name: 'after planes', inputs: [[2, 3, 5, 7], [11, 105], [11]] },
    { name: 'K = 0', inputs: [[2, 0], [3, 0], [3]] },
    { name: 'empty batch', inputs: [[0, 4], [3, 4], [3]] },
    { name: 'one output', inputs: [[9, 100], [1, 100], [1]] },
    { name: 'integers', data: 'integers', inputs: [[3, 500], [130, 500], [130]] },
    { name: 'special values', data: 'special', inputs: [[3, 20], [13, 20], [13]] },
  ],
}
