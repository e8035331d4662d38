/** Zero-skipping convolution against the reference: the grid, activations of all densities, dead channels, numbers that are not finite. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { conv2d } from '../../../src/ops/conv2d/op.ts'
import { layoutShape } from '../../../src/ops/layout.ts'
import { runOp } from '../../../src/ops/run.ts'
import { sizeOf } from '../../../src/tensor/shape.ts'
import { tensor, type HostTensor } from '../../../src/tensor/tensor.ts'
import { inputsOf, randomFrom } from '../../cases/case.ts'
import { check } from '../run-table.ts'
import { checkGrid, gridOf, type GridPoint } from './grid.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => {
  expect(gpu.memory.liveBytes).toBe(0)
  gpu.dispose()
})

/** Whole numbers, a part of them not zero. */
function sparse(shape: readonly number[], density: number, seed: number): HostTensor {
  const random = randomFrom(seed)
  const draw = (): number => (random() < density ? Math.floor(random() * 9) - 4 : 0)
  return tensor(Array.from({ length: sizeOf(shape) }, draw), shape)
}

describe('zero-skipping convolution', () => {
  it.each([
    { wide: 1, each: 1, lanes: 8, count: 14 },
    { wide: 3, each: 3, lanes: 16, count: 12 },
  ])('on the grid: $wide outputs, $each filters a lane, $lanes lanes', async ({ count, ...sizes }) => {
    const points = gridOf(count, {}, sizes.each)
    expect(await checkGrid(gpu, { algorithm: 'zero-skipping', ...sizes }, points, { bits: true })).toEqual({
      run: count,
      refused: 0,
    })
  })

  it('on the grid, f16', async () => {
    const config = { algorithm: 'zero-skipping', each: 1, lanes: 8 }
    expect(await checkGrid(gpu, config, gridOf(5, {}, 7), { dtype: 'f16' })).toEqual({ run: 5, refused: 0 })
  })

  it('from one layout to another, and into part of a larger map', async () => {
    const points: GridPoint[] = (
      [
        ['nhwc', 'nchw', undefined],
        ['nchw', 'nchw4', { channels: 12, first: 4 }],
        ['nchw', 'nchw', { channels: 11, first: 3 }],
      ] as const
    ).map(([layout, outputLayout, place]) => ({
      inputs: [layoutShape(layout, 2, 8, [5, 6]), [8, 8, 3, 3], [8], null],
      attributes: { padding: 1, layout, outputLayout, ...(place === undefined ? {} : { place }) },
    }))
    expect(await checkGrid(gpu, { algorithm: 'zero-skipping', each: 1, lanes: 8 }, points)).toEqual({ run: 3, refused: 0 })
  })

  it.each([0, 0.02, 0.3, 1])('of activations of density %d, with channels whose weights are all zero', async (density) => {
    const x = sparse([2, 70, 9, 7], density, 3)
    const isDead = (at: number): boolean => Math.floor(at / 9) % 70 >= 31 && Math.floor(at / 9) % 70 < 36
    const weights = Array.from(sparse([21, 70, 3, 3], 0.5, 4).values, Number)
    const w = tensor(
      weights.map((value, at) => (isDead(at) ? 0 : value)),
      [21, 70, 3, 3],
    )
    await check(gpu, conv2d, [x, w, sparse([21], 1, 5)], { padding: 1, activation: 'relu', algorithm: 'zero-skipping' }, true)
  })

  it('gives the same bits every time', async () => {
    const inputs = inputsOf({ name: '', inputs: [[1, 40, 8, 8], [16, 40, 3, 3], null] }, 'f32')
    const results: unknown[] = []
    for (let run = 0; run < 3; run++) {
      const [y] = await runOp(gpu, conv2d, inputs, { algorithm: 'zero-skipping' })
      results.push(await y?.data())
      y?.dispose()
    }
    expect(results[1]).toEqual(results[0])
    expect(results[2]).toEqual(results[0])
  })

  it('NaN, infinities and -0 among activations reach their windows alone', async () => {
    const values: number[] = Array.from({ length: 3 * 7 * 6 }, (_, at) => (at % 3 === 0 ? 0 : (at % 9) - 4))
    values[8] = NaN
    values[20] = Infinity
    values[21] = -Infinity
    values[50] = -0
    const w = tensor(
      Array.from({ length: 54 }, (_, at) => (at % 7) - 3),
      [3, 3, 2, 3],
    )
    await check(gpu, conv2d, [tensor(values, [1, 3, 7, 6]), w, null], { padding: 1, stride: 2, algorithm: 'zero-skipping' })
  })

  it.each([Infinity, NaN])('a weight that is %d meets zeros, padding too, as the definition has it', async (bad) => {
    const x = sparse([2, 6, 5, 5], 0.4, 9)
    const values = Array.from(sparse([4, 3, 3, 3], 0.6, 10).values, Number)
    values[40] = bad
    const attributes = { padding: 1, groups: 2, algorithm: 'zero-skipping' }
    const w = tensor(values, [4, 3, 3, 3])
    const [reference] = conv2d.reference([x, w, null], conv2d.attributes.parse(attributes))
    const nans = Array.from(reference?.tensor.values ?? [], Number).filter(Number.isNaN).length
    // Of one filter, in two pictures: where its one bad tap lies over a zero or over padding, or, of NaN, anywhere.
    expect(nans).toBeGreaterThan(20)
    expect(nans).toBeLessThanOrEqual(50)
    await check(gpu, conv2d, [x, w, null], attributes)
  })

  it('of no channels, and of no pictures', async () => {
    const attributes = { padding: 1, algorithm: 'zero-skipping' }
    await check(gpu, conv2d, inputsOf({ name: '', inputs: [[2, 0, 4, 4], [5, 0, 3, 3], [5]] }, 'f32'), attributes)
    await check(gpu, conv2d, inputsOf({ name: '', inputs: [[0, 3, 4, 4], [5, 3, 3, 3], [5]] }, 'f32'), attributes)
  })

  it('of tensors in several segments, over more workgroups than a dimension has', async () => {
    using small = await openGpu({ limits: { maxStorageBufferBindingSize: 8192, maxComputeWorkgroupsPerDimension: 8 } })
    const inputs = [sparse([1, 24, 12, 13], 0.3, 1), sparse([20, 24, 3, 3], 1, 2), null]
    await check(small, conv2d, inputs, { padding: 1, algorithm: { algorithm: 'zero-skipping', each: 4, lanes: 8 } }, true)
    expect(small.memory.liveBytes).toBe(0)
  })
})
