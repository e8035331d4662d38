/** Convolutions whose filters are taken as 2:4: implicit GEMM with packed filters, on the grid of all algorithms. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openGpu, type Gpu } from '../../../src/node.ts'
import { checkGrid, gridOf } from './grid.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

it.each([
  ['by rule', undefined],
  ['expanded by tiles', 'tiled'],
] as const)('%s: bit for bit on whole numbers', async (_, kernel) => {
  const points = gridOf(kernel === undefined ? 16 : 2, {}, 11).map((point) => ({
    ...point,
    attributes: { ...point.attributes, sparsity: '2:4' },
  }))
  const config = { algorithm: 'implicit-gemm', ...(kernel === undefined ? {} : { kernel }) }
  const { run, refused } = await checkGrid(gpu, config, points, { bits: true })
  expect(run).toBeGreaterThanOrEqual(points.length / 2)
  expect(refused).toBeLessThanOrEqual(points.length / 4)
})

it('in f16', async () => {
  const points = gridOf(3, { channels: [4, 8, 12] }, 12).map((point) => ({
    ...point,
    attributes: { ...point.attributes, sparsity: '2:4' },
  }))
  expect((await checkGrid(gpu, { algorithm: 'implicit-gemm' }, points, { dtype: 'f16' })).run).toBeGreaterThan(1)
})
