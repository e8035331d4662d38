/** Convolution by transforms against the reference: every size, layouts, groups, depthwise with and without multiplier, dilation. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { checkGrid, gridOf } from './grid.ts'

describe('convolution by transforms', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  const OPTIONS = { axes: [2], strides: [1], dilations: [1, 1, 1, 2] } as const

  it.each([
    { size: 16, kernels: [2, 3, 5, 7, 8] },
    { size: 32, kernels: [5, 7, 11, 15] },
  ] as const)('$size points', async ({ size, kernels }) => {
    const points = gridOf(24, { ...OPTIONS, kernels }, size)
    const { run, refused } = await checkGrid(gpu, { algorithm: 'fft', size }, points)
    expect(run).toBeGreaterThan(16)
    expect(run + refused).toBe(24)
  })

  it('64 points', async () => {
    const points = gridOf(
      4,
      { ...OPTIONS, layouts: ['nhwc'], dilations: [1], kernels: [13, 21, 31], channels: [3], filters: [2, 5] },
      64,
    )
    expect((await checkGrid(gpu, { algorithm: 'fft', size: 64 }, points)).run).toBe(4)
  })

  it('filters that see one channel', async () => {
    const points = gridOf(
      16,
      { ...OPTIONS, layouts: ['nchw', 'nhwc'], kernels: [5, 7, 9], channels: [1], filters: [1, 1, 2, 3], groups: [1, 3, 4, 13] },
      7,
    )
    expect((await checkGrid(gpu, { algorithm: 'fft' }, points)).run).toBe(16)
  })

  it('in halves', async () => {
    const points = gridOf(6, { ...OPTIONS, layouts: ['nchw', 'nhwc'], kernels: [5, 7] }, 9)
    expect((await checkGrid(gpu, { algorithm: 'fft' }, points, { dtype: 'f16' })).run).toBe(6)
  })
})
