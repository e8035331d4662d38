/** Direct-tiled convolution against the reference: channels in quads and one by one, filters that fill quads and that do not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { checkGrid, gridOf } from './grid.ts'

describe('direct-tiled convolution', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('channels one by one, rows looped', async () => {
    const grid = { kernels: [1, 3, 4] } as const
    expect(await checkGrid(gpu, { algorithm: 'direct-tiled' }, gridOf(32, grid), { bits: true })).toEqual({ run: 32, refused: 0 })
  })

  it.each([2, 4])('%i channels at once', async (chunk) => {
    const grid = {
      axes: [2],
      kernels: [3],
      strides: [1, 2],
      dilations: [1],
      channels: [4, 8],
      groups: [1, 2, 4],
      filters: [4, 5, 8],
    } as const
    const config = { algorithm: 'direct-tiled', strip: 3, chunk, rows: 'unrolled' }
    const { run } = await checkGrid(gpu, config, gridOf(8, grid, chunk), { bits: true })
    expect(run).toBeGreaterThan(chunk === 4 ? 7 : 3)
  })

  it('three channels of a quad', async () => {
    const point = {
      inputs: [[2, 1, 6, 7, 4], [5, 3, 3, 3], [5], null],
      attributes: { layout: 'nchw4', padding: 1, activation: 'relu' },
    }
    expect(await checkGrid(gpu, { algorithm: 'direct-tiled', chunk: 3 }, [point])).toEqual({ run: 1, refused: 0 })
  })
})
