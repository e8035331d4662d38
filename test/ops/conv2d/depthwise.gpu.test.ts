/** Depthwise convolution against the reference: every form, layout, width of access, and a tensor in several segments. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { layoutShape } from '../../../src/ops/layout.ts'
import { checkGrid, gridOf, type GridPoint } from './grid.ts'

const GRID = { depthwise: true, groups: [1, 3, 4, 8, 12], filters: [1, 1, 1, 2, 3, 4] } as const

describe('depthwise convolution', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('row by row, any window', async () => {
    const config = { algorithm: 'depthwise', form: 'rows', strip: 4 }
    expect(await checkGrid(gpu, config, gridOf(36, GRID), { bits: true })).toEqual({ run: 36, refused: 0 })
  })

  it.each([
    [7, 1],
    [2, 3],
  ])('%i by %i tiles', async (strip, tall) => {
    const config = { algorithm: 'depthwise', form: 'tile', strip, tall }
    const grid = { ...GRID, axes: [1, 2, 2], kernels: [1, 3, 4], strides: [1, 2, 3], dilations: [1, 2] } as const
    expect(await checkGrid(gpu, config, gridOf(7, grid, strip), { bits: true })).toEqual({ run: 7, refused: 0 })
  })

  it('in halves', async () => {
    const points = gridOf(5, { ...GRID, axes: [2], kernels: [3], strides: [1], dilations: [1] }, 3)
    expect(await checkGrid(gpu, { algorithm: 'depthwise', form: 'tile' }, points, { dtype: 'f16' })).toEqual({
      run: 5,
      refused: 0,
    })
  })

  it('leaves places past the last channel of nchw4 to nobody', async () => {
    const point: GridPoint = {
      inputs: [[2, 2, 5, 6, 4], [14, 1, 3, 3], [14], null],
      attributes: { groups: 7, padding: 1, layout: 'nchw4' },
    }
    expect(await checkGrid(gpu, { algorithm: 'depthwise' }, [point])).toEqual({ run: 1, refused: 0 })
  })

  it('from one layout to another, and into part of a larger map', async () => {
    const attributes = { groups: 8, padding: 1, activation: 'relu' }
    const w = [8, 1, 3, 3]
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
    expect(await checkGrid(gpu, { algorithm: 'depthwise' }, points)).toEqual({ run: 6, refused: 0 })
  })
})
