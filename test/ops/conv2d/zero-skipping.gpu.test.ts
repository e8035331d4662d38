/** Zero-skipping convolution against the reference: the grid, activations and weights of all densities, numbers that are not finite. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { checkGrid, gridOf } from './grid.ts'

describe('zero-skipping convolution', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('one filter a lane, one row', async () => {
    const config = { algorithm: 'zero-skipping', strip: 4, tall: 1, each: 1, lanes: 8 }
    expect(await checkGrid(gpu, config, gridOf(20), { bits: true })).toEqual({ run: 20, refused: 0 })
  })
})
