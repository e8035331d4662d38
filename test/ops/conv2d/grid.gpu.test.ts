/** Every algorithm on the grid. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { checkGrid, gridOf } from './grid.ts'

describe('algorithms of convolution on the grid', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('direct', async () => {
    expect(await checkGrid(gpu, { algorithm: 'direct' }, gridOf(40), { bits: true })).toEqual({ run: 40, refused: 0 })
  })

  it.each(['positions', 'filters'] as const)('implicit GEMM, rows are %s', async (rows) => {
    const { run } = await checkGrid(gpu, { algorithm: 'implicit-gemm', rows }, gridOf(40, {}, 2), { bits: true })
    expect(run).toBeGreaterThan(26)
  })

  it('implicit GEMM in halves', async () => {
    const points = gridOf(12, { layouts: ['nchw', 'nhwc'] }, 3)
    expect(await checkGrid(gpu, { algorithm: 'implicit-gemm' }, points, { dtype: 'f16' })).toEqual({ run: 12, refused: 0 })
  })

  it.each(['tiled', 'registers', 'vector'])('implicit GEMM by kernel %s', async (kernel) => {
    for (const rows of ['positions', 'filters'] as const) {
      const { run } = await checkGrid(gpu, { algorithm: 'implicit-gemm', rows, kernel }, gridOf(5, { groups: [1, 2] }, 4), {
        bits: true,
      })
      expect(run).toBeGreaterThan(1)
    }
  })
})
