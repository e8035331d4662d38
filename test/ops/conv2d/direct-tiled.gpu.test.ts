/** Direct-tiled convolution against the reference: channels in quads and one by one, filters that fill quads and that do not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { layoutShape } from '../../../src/ops/layout.ts'
import { checkGrid, gridOf, type GridPoint } from './grid.ts'

describe('direct-tiled convolution', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('channels one by one, rows looped', async () => {
    const grid = { kernels: [1, 3, 4] } as const
    expect(await checkGrid(gpu, { algorithm: 'direct-tiled' }, gridOf(24, grid), { bits: true })).toEqual({ run: 24, refused: 0 })
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
    const { run } = await checkGrid(gpu, config, gridOf(6, grid, chunk), { bits: true })
    expect(run).toBeGreaterThan(2)
  })

  it('two quads of filters', async () => {
    const grid = { axes: [2], kernels: [3], strides: [1, 2], dilations: [1], filters: [8, 7, 16] } as const
    const config = { algorithm: 'direct-tiled', strip: 3, quads: 2 }
    expect(await checkGrid(gpu, config, gridOf(5, grid, 9), { bits: true })).toEqual({ run: 5, refused: 0 })
  })

  it('three channels of a quad', async () => {
    const point = {
      inputs: [[2, 1, 6, 7, 4], [5, 3, 3, 3], [5], null],
      attributes: { layout: 'nchw4', padding: 1, activation: 'relu' },
    }
    expect(await checkGrid(gpu, { algorithm: 'direct-tiled', chunk: 3 }, [point])).toEqual({ run: 1, refused: 0 })
  })

  it('from one layout to another, and into part of a larger map', async () => {
    const attributes = { groups: 1, padding: 1, activation: 'relu' }
    const w = [8, 8, 3, 3]
    const points: GridPoint[] = (
      [
        ['nhwc', 'nchw', undefined],
        ['nchw', 'nhwc', undefined],
        ['nchw', 'nchw4', { channels: 12, first: 4 }],
        ['nhwc', 'nhwc', { channels: 16, first: 4 }],
        ['nhwc', 'nhwc', { channels: 13, first: 2 }],
        ['nchw', 'nchw', { channels: 11, first: 3 }],
      ] as const
    ).map(([layout, outputLayout, place]) => ({
      inputs: [layoutShape(layout, 2, 8, [5, 6]), w, [8], null],
      attributes: { ...attributes, layout, outputLayout, ...(place === undefined ? {} : { place }) },
    }))
    expect(await checkGrid(gpu, { algorithm: 'direct-tiled' }, points)).toEqual({ run: 6, refused: 0 })
  })
})
