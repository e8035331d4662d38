/** Implicit GEMM of halves on matrix units, where the adapter has them (lavapipe does): windows staged for them, sums in f32. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { implicitGemm } from '../../../src/ops/conv2d/algorithms/implicit-gemm.ts'
import { checkGrid, convolutionAt, gridOf } from './grid.ts'

/** Two units high and one wide, so that they compile fast in software. */
const KERNEL = { kernel: 'matrix', rows: 2, columns: 1, subgroupRows: 1, subgroupColumns: 2, steps: 1 }

describe('implicit GEMM on matrix units', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())
  beforeEach((context) => {
    const isThere = gpu.facts.matrices?.some(({ M, N, K, result }) => M === 8 && N === 8 && K === 8 && result === 'f32') === true
    if (!isThere) context.skip('the device lists no matrix unit of 8×8×8')
  })

  it.each(['nhwc', 'nchw'] as const)('%s', async (layout) => {
    const points = gridOf(2, { axes: [2], layouts: [layout], groups: [1, 2], channels: [8, 13], filters: [16, 17] }, 7)
    for (const rows of ['positions', 'filters'] as const) {
      const { run } = await checkGrid(gpu, { algorithm: 'implicit-gemm', rows, kernel: KERNEL }, points, { dtype: 'f16' })
      expect(run).toBe(2)
    }
  })

  it('refuses direct loads through a window', () => {
    const point = { inputs: [[1, 16, 16, 32], [64, 32, 3, 3], null], attributes: { layout: 'nhwc', padding: 1 } }
    const config = { algorithm: 'implicit-gemm', rows: 'positions', kernel: { ...KERNEL, direct: true } } as const
    expect(implicitGemm.refusal(convolutionAt(point, 'f16'), config, gpu.facts)).toMatch(/through a window/)
  })
})
