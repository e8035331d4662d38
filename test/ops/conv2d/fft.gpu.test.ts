/**
 * Convolution by transforms against the reference: every size, layouts, groups, depthwise with and without multiplier, dilation.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { countAccesses } from '../../../src/gpu/counted.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { fft, type FftConfig } from '../../../src/ops/conv2d/algorithms/fft.ts'
import { conv2d } from '../../../src/ops/conv2d/op.ts'
import { parseAttributes, runOp } from '../../../src/ops/run.ts'
import { inputsOf } from '../../cases/case.ts'
import { checkGrid, convolutionAt, gridOf, type GridPoint } from './grid.ts'

describe('convolution by transforms', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  const OPTIONS = { axes: [2], strides: [1], dilations: [1, 1, 1, 2] } as const

  it.each([
    { size: 16, kernels: [2, 3, 5, 7, 8] },
    { size: 32, kernels: [5, 7, 11, 15] },
  ] as const)('$size points', async ({ size, kernels }) => {
    const points = gridOf(24, { ...OPTIONS, kernels }, size)
    const { run, refused } = await checkGrid(gpu, { algorithm: 'fft', size }, points)
    expect(run).toBeGreaterThan(16)
    expect(run + refused).toBe(24)
  })

  it('64 points', async () => {
    const points = gridOf(
      4,
      { ...OPTIONS, layouts: ['nhwc'], dilations: [1], kernels: [13, 21, 31], channels: [3], filters: [2, 5] },
      64,
    )
    expect((await checkGrid(gpu, { algorithm: 'fft', size: 64 }, points)).run).toBe(4)
  })

  it('filters that see one channel', async () => {
    const points = gridOf(
      16,
      { ...OPTIONS, layouts: ['nchw', 'nhwc'], kernels: [5, 7, 9], channels: [1], filters: [1, 1, 2, 3], groups: [1, 3, 4, 13] },
      7,
    )
    expect((await checkGrid(gpu, { algorithm: 'fft' }, points)).run).toBe(16)
  })

  it('in halves', async () => {
    const points = gridOf(6, { ...OPTIONS, layouts: ['nchw', 'nhwc'], kernels: [5, 7] }, 9)
    expect((await checkGrid(gpu, { algorithm: 'fft' }, points, { dtype: 'f16' })).run).toBe(6)
  })

  it.each<[string, GridPoint]>([
    ['quads', { inputs: [[2, 20, 17, 8], [6, 8, 5, 5], [6], [2, 18, 15, 6]], attributes: { padding: 1, layout: 'nhwc' } }],
    ['channels one by one, groups', { inputs: [[1, 9, 14, 15], [15, 3, 5, 5], null, null], attributes: { groups: 3 } }],
    ['filters that see one channel', { inputs: [[1, 5, 14, 15], [10, 1, 6, 5], [10], null], attributes: { groups: 5 } }],
  ])('loads and stores what it says: %s', async (_, point) => {
    const conv = convolutionAt(point)
    const config: FftConfig = { algorithm: 'fft', size: 16 }
    const plan = fft.plan(conv, config, gpu.facts)
    const tensors = point.inputs.map((shape) => (shape === null ? null : gpu.allocate({ dtype: 'f32', shape })))
    const counts = await countAccesses(gpu, plan, tensors, [conv.output])
    for (const tensor of tensors) tensor?.dispose()
    const sums: Record<string, { loads: number; stores: number }> = {}
    // The first two dispatches transform the filters, which a model does once.
    for (const [name, { loads, stores }] of counts.slice(2).flatMap((each) => Object.entries(each))) {
      const { loads: before, stores: early } = sums[name] ?? { loads: 0, stores: 0 }
      sums[name] = { loads: before + loads, stores: early + stores }
    }
    expect(fft.accesses?.(conv, config, gpu.facts)).toEqual(sums)
  })

  it('spreads a NaN over its tile, and no further', async () => {
    const [x, w] = inputsOf(
      {
        name: '',
        inputs: [
          [1, 2, 30, 40],
          [3, 2, 5, 5],
        ],
      },
      'f32',
    )
    if (x === undefined || x === null || w === undefined || w === null) throw new Error('There are operands')
    x.values[0] = NaN
    const attributes = { algorithm: { algorithm: 'fft', size: 16 } }
    const [expected] = conv2d.reference([x, w], parseAttributes(conv2d, attributes))
    const [y] = await runOp(gpu, conv2d, [x, w], attributes)
    if (expected?.tolerance.kind !== 'bound' || expected.exact === undefined || y === undefined)
      throw new Error('There is a result')
    const { bound } = expected.tolerance
    const results = await y.data()
    y.dispose()
    let held = 0
    for (const [at, exact] of expected.exact.entries()) {
      if (!Number.isFinite(bound[at])) continue
      expect(Math.abs(Number(results[at]) - exact)).toBeLessThanOrEqual(bound[at] ?? NaN)
      held++
    }
    // 26 by 36 results of 3 filters, but for the 12 by 12 of the first tile.
    expect(held).toBe(3 * (26 * 36 - 12 * 12))
    expect(Number.isNaN(Number(results[11 * 36 + 11]))).toBe(true)
  })

  it('spectra in several segments, in launches of few workgroups', async () => {
    using small = await openGpu({ limits: { maxStorageBufferBindingSize: 2 ** 17, maxComputeWorkgroupsPerDimension: 7 } })
    const point: GridPoint = { inputs: [[1, 20, 20, 12], [12, 12, 5, 5], [12], null], attributes: { padding: 2, layout: 'nhwc' } }
    expect(await checkGrid(small, { algorithm: 'fft', size: 16 }, [point])).toEqual({ run: 1, refused: 0 })
  })

  it('puts results into a larger map, in another layout', async () => {
    const attributes = { padding: 2, layout: 'nhwc', outputLayout: 'nchw', activation: 'relu' }
    const point: GridPoint = { inputs: [[2, 12, 13, 8], [5, 8, 5, 5], [5], null], attributes }
    expect(await checkGrid(gpu, { algorithm: 'fft', size: 16 }, [point])).toEqual({ run: 1, refused: 0 })
    const placed: GridPoint = { ...point, attributes: { ...attributes, place: { channels: 9, first: 3 } } }
    expect(await checkGrid(gpu, { algorithm: 'fft', size: 16 }, [placed])).toEqual({ run: 1, refused: 0 })
  })
})
