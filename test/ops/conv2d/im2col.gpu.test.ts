/** Convolution by stored patches against the reference. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { checkGrid, gridOf } from './grid.ts'

describe('convolution by stored patches', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('is exact on whole numbers', async () => {
    expect(await checkGrid(gpu, { algorithm: 'im2col' }, gridOf(24, {}, 5), { bits: true })).toEqual({ run: 24, refused: 0 })
  })

  it('in halves', async () => {
    const points = gridOf(4, { layouts: ['nhwc'] }, 6)
    expect(await checkGrid(gpu, { algorithm: 'im2col' }, points, { dtype: 'f16' })).toEqual({ run: 4, refused: 0 })
  })
})
