/** Winograd convolution on the grid of what it takes: any padding, batch, groups and layout; small whole numbers exact in F(2, 3). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { countAccesses } from '../../../src/gpu/counted.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { winograd } from '../../../src/ops/conv2d/algorithms/winograd.ts'
import { conv2d } from '../../../src/ops/conv2d/op.ts'
import { parseAttributes, runOp } from '../../../src/ops/run.ts'
import { HostTensor } from '../../../src/tensor/tensor.ts'
import { checkGrid, convolutionAt, gridOf, type GridOptions, type GridPoint } from './grid.ts'

/** Filters of 3×3 (and 3 in a row), which Winograd takes. */
const TAKEN: GridOptions = { axes: [1, 2, 2, 2], strides: [1], dilations: [1], kernels: [3], square: true }

describe('Winograd convolution', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('F(2, 3) is exact on small whole numbers', async () => {
    const { run } = await checkGrid(gpu, { algorithm: 'winograd', tile: 2 }, gridOf(30, TAKEN, 5), { bits: true })
    expect(run).toBeGreaterThan(25)
  })

  it('F(4, 3)', async () => {
    const { run } = await checkGrid(gpu, { algorithm: 'winograd', tile: 4 }, gridOf(30, TAKEN, 6))
    expect(run).toBeGreaterThan(25)
  })

  // Few kernels: conversions of halves take long to compile.
  const plain = { activation: 'relu', padding: [1, 0, 2, 1] }
  const inHalves = [
    { inputs: [[2, 9, 7, 8], [12, 8, 3, 3], null, null], attributes: { ...plain, layout: 'nhwc' } },
    { inputs: [[1, 5, 11, 20], [8, 20, 3, 3], null, null], attributes: { ...plain, layout: 'nhwc' } },
  ] as const

  it.each([{ tile: 2, half: true }, { tile: 4 }] as const)('halves, %o', async (config) => {
    expect(await checkGrid(gpu, { algorithm: 'winograd', ...config }, inHalves, { dtype: 'f16' })).toEqual({ run: 2, refused: 0 })
  })

  it('values at the points in halves in F(4, 3), where the caller allows its error', async () => {
    const point = { ...inHalves[1], attributes: { ...inHalves[1].attributes, maxError: 0.1 } }
    const config = { algorithm: 'winograd', tile: 4, half: true }
    expect(await checkGrid(gpu, config, [inHalves[1]], { dtype: 'f16' })).toEqual({ run: 0, refused: 1 })
    expect(await checkGrid(gpu, config, [point], { dtype: 'f16' })).toEqual({ run: 1, refused: 0 })
  })

  const each: readonly { readonly name: string; readonly point: GridPoint }[] = [
    {
      name: 'planes apart, with a stride and padding between them',
      point: {
        inputs: [[2, 5, 4, 6, 7], [6, 5, 1, 3, 3], [6], null],
        attributes: { stride: [2, 1, 1], padding: [1, 1, 0, 1, 0, 2] },
      },
    },
    {
      name: 'a row of filters in a picture',
      point: { inputs: [[1, 9, 5, 7], [6, 9, 1, 3], null, null], attributes: { dilation: [3, 1], padding: [0, 1, 0, 1] } },
    },
    {
      name: 'from one layout to another',
      point: {
        inputs: [[2, 8, 9, 5], [12, 8, 3, 3], [12], [2, 9, 5, 12]],
        attributes: { padding: 1, layout: 'nchw', outputLayout: 'nhwc', activation: 'relu' },
      },
    },
    {
      name: 'more padding than there are values',
      point: { inputs: [[1, 4, 1, 2], [4, 4, 3, 3], null, null], attributes: { padding: [2, 5, 7, 2] } },
    },
  ]
  it.each(each)('$name', async ({ point }) => {
    expect(await checkGrid(gpu, { algorithm: 'winograd', tile: 2 }, [point], { bits: true })).toEqual({ run: 1, refused: 0 })
    expect(await checkGrid(gpu, { algorithm: 'winograd', tile: 4 }, [point])).toEqual({ run: 1, refused: 0 })
  })

  it('spreads a NaN or an infinity to outputs of its tiles, and no further', async () => {
    const values = Float32Array.from({ length: 9 * 23 * 4 }, (_, at) => Math.sin(at))
    values.set([NaN, Infinity, -Infinity, 1e18], 4 * (4 * 23 + 6))
    const x = new HostTensor('f32', [1, 9, 23, 4], values)
    const w = new HostTensor('f32', [8, 4, 3, 3], values.slice(0, 8 * 4 * 9))
    const attributes = { padding: 1, layout: 'nhwc', algorithm: { algorithm: 'winograd', tile: 4 } }
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
    // Outputs up to 4 before and behind the pixel may share its tile: 9 rows, all there are, of 9 columns.
    expect(held).toBe(8 * 9 * (23 - 9))
    expect(results.some((value) => Number.isNaN(Number(value)))).toBe(true)
  })

  it('loads and stores what it says', async () => {
    const shapes = [[2, 9, 7, 6], [10, 6, 3, 3], [10], [2, 9, 7, 10]]
    const attributes = { padding: 1, layout: 'nhwc', algorithm: { algorithm: 'winograd', tile: 4 } }
    const point: GridPoint = { inputs: shapes, attributes }
    const conv = convolutionAt(point)
    const config = { algorithm: 'winograd', tile: 4, half: false } as const
    const plan = winograd.plan(conv, config, gpu.facts)
    const tensors = shapes.map((shape) => gpu.allocate({ dtype: 'f32', shape }))
    const counts = await countAccesses(gpu, plan, tensors, [conv.output])
    for (const tensor of tensors) tensor.dispose()
    const sums: Record<string, { loads: number; stores: number }> = {}
    // The first dispatch transforms the filters, which a model does once.
    for (const [name, { loads, stores }] of counts.slice(1).flatMap((each) => Object.entries(each))) {
      const { loads: before, stores: early } = sums[name] ?? { loads: 0, stores: 0 }
      sums[name] = { loads: before + loads, stores: early + stores }
    }
    expect(winograd.accesses?.(conv, config, gpu.facts)).toEqual(sums)
  })

  it('values at the points in several segments, in launches of few workgroups', async () => {
    using small = await openGpu({ limits: { maxStorageBufferBindingSize: 32768, maxComputeWorkgroupsPerDimension: 5 } })
    const point: GridPoint = { inputs: [[1, 20, 20, 12], [12, 12, 3, 3], [12], null], attributes: { padding: 1, layout: 'nhwc' } }
    expect(await checkGrid(small, { algorithm: 'winograd', tile: 4 }, [point])).toEqual({ run: 1, refused: 0 })
  })
})
