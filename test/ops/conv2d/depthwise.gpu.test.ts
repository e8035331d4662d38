/** Depthwise convolution against the reference: every form, layout, width of access, and a tensor in several segments. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
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
    expect(await checkGrid(gpu, config, gridOf(60, GRID), { bits: true })).toEqual({ run: 60, refused: 0 })
  })

  it.each([
    [7, 1],
    [2, 3],
  ])('%i by %i tiles', async (strip, tall) => {
    const config = { algorithm: 'depthwise', form: 'tile', strip, tall }
    const grid = { ...GRID, axes: [1, 2, 2], kernels: [1, 3, 4], strides: [1, 2, 3], dilations: [1, 2] } as const
    expect(await checkGrid(gpu, config, gridOf(12, grid, strip), { bits: true })).toEqual({ run: 12, refused: 0 })
  })

  it('in halves', async () => {
    const points = gridOf(10, { ...GRID, axes: [2], kernels: [3], strides: [1], dilations: [1] }, 3)
    expect(await checkGrid(gpu, { algorithm: 'depthwise', form: 'tile' }, points, { dtype: 'f16' })).toEqual({
      run: 10,
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
})
