/** Convolutions whose filters are taken as 2:4: implicit GEMM with packed filters, on the grid of all algorithms. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openGpu, type Gpu } from '../../../src/node.ts'
import { keptWeights } from '../../../src/ops/gemm/kept-reference.ts'
import { conv2d } from '../../../src/ops/index.ts'
import { floatsOf } from '../../../src/ops/values.ts'
import { tensor, type HostTensor } from '../../../src/tensor/tensor.ts'
import { checkGrid, gridOf } from './grid.ts'

const pruned = (w: HostTensor): HostTensor => tensor(keptWeights(floatsOf(w), w.shape), w.shape, w.dtype)

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
  const { run, refused } = await checkGrid(gpu, config, points, { bits: true, filters: pruned })
  expect(run).toBeGreaterThanOrEqual(points.length / 2)
  expect(refused).toBeLessThanOrEqual(points.length / 4)
})

it('in f16', async () => {
  const points = gridOf(3, { channels: [4, 8, 12] }, 12).map((point) => ({
    ...point,
    attributes: { ...point.attributes, sparsity: '2:4' },
  }))
  expect((await checkGrid(gpu, { algorithm: 'implicit-gemm' }, points, { dtype: 'f16', filters: pruned })).run).toBeGreaterThan(1)
})

it('filters that do not hold the pattern are named where they are known; of others the two largest of four stay', async () => {
  const x = tensor(new Float32Array(8).fill(1), [1, 8, 1, 1])
  const w = tensor([1, 2, 3, 4, -5, 6, -7, 8], [1, 8, 1, 1])
  await expect(async () => conv2d(gpu, x, w, { sparsity: '2:4' })).rejects.toThrow('Row 0, group 0 (k 0 to 3): 4 non-zeros')
  using onDevice = gpu.upload(w)
  using y = await conv2d(gpu, x, onDevice, { sparsity: '2:4' })
  expect(await y.data()).toEqual(Float32Array.of(3 + 4 - 7 + 8))
})
