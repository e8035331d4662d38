/** The tiled kernels on the software adapter: awkward shapes, strides, dtypes and epilogues, split depths, and accesses counted. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { gemm } from '../../../src/ops/gemm/op.ts'
import { inputsOf } from '../../cases/case.ts'
import { check } from '../run-table.ts'

const SMALL = { kernel: 'tiled', tileRows: 16, tileColumns: 16, tileDepth: 8, buffers: 2 }

describe('tiled', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it.each([
    ['odd sizes', [[13, 37], [37, 71], null], {}],
    ['many tiles', [[131, 36], [36, 72], null], {}],
    ['split', [[35, 100], [100, 72], null], { splits: 3 }],
  ])('%s', async (name, inputs, config) => {
    await check(gpu, gemm, inputsOf({ name, inputs }, 'f32'), { kernel: { ...SMALL, ...config } })
    expect(gpu.memory.liveBytes).toBe(0)
  })
})
