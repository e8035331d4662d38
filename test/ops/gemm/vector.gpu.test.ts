import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { matmul } from '../../../src/ops/matmul/op.ts'
import { gemm } from '../../../src/ops/gemm/op.ts'
import { inputsOf } from '../../cases/case.ts'
import { check } from '../run-table.ts'

describe('vector', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  for (const [rows, depth, columns, config] of [
    [1, 1, 1, {}],
    [3, 37, 71, { along: 4 }],
    [16, 64, 36, { along: 1 }],
    [2, 64, 128, { along: 1, strips: 4 }],
    [5, 129, 68, { along: 8, across: 8, subgroups: true }],
    [5, 129, 68, { along: 8, across: 1, subgroups: true, parts: 3 }],
    [1, 1009, 67, { along: 4, across: 2, strips: 2, parts: 5 }],
  ] as const) {
    it(`${rows}×${depth}×${columns} ${JSON.stringify(config)}`, async () => {
      const kernel = { kernel: 'vector', ...config }
      const inputs = inputsOf(
        {
          name: '',
          inputs: [
            [rows, depth],
            [depth, columns],
          ],
        },
        'f32',
      )
      await check(gpu, matmul, inputs, { kernel })
      const turned = inputsOf(
        {
          name: '',
          inputs: [
            [rows, depth],
            [columns, depth],
          ],
        },
        'f16',
      )
      await check(gpu, gemm, turned, { kernel, transB: 1 })
      expect(gpu.memory.liveBytes).toBe(0)
    })
  }
})
