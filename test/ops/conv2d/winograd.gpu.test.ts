/** Winograd convolution on the grid of what it takes: any padding, batch, groups and layout; small whole numbers exact in F(2, 3). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { checkGrid, gridOf, type GridOptions } from './grid.ts'

/** Filters of 3×3 (and 3 in a row), which Winograd takes. */
const TAKEN: GridOptions = { axes: [1, 2, 2, 2], strides: [1], dilations: [1], kernels: [3], square: true }

describe('Winograd convolution', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('F(2, 3) is exact on small whole numbers', async () => {
    const { run } = await checkGrid(gpu, { algorithm: 'winograd', tile: 2 }, gridOf(30, TAKEN, 5), { bits: true })
    expect(run).toBeGreaterThan(25)
  })

  it('F(4, 3)', async () => {
    const { run } = await checkGrid(gpu, { algorithm: 'winograd', tile: 4 }, gridOf(30, TAKEN, 6))
    expect(run).toBeGreaterThan(25)
  })
})
