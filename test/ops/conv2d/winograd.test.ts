/** Winograd's matrices, bounds, counts and refusals, and the tolerance that the reference adds for it. */
import { describe, expect, it } from 'vitest'
import { DEFAULT_MAX_ERROR, type AlgorithmConfig } from '../../../src/ops/conv2d/algorithm.ts'
import { forced, refusalOf } from '../../../src/ops/conv2d/algorithms.ts'
import { winograd, type WinogradConfig } from '../../../src/ops/conv2d/algorithms/winograd.ts'
import { macsOf } from '../../../src/ops/conv2d/convolution.ts'
import { estimateConvolution } from '../../../src/ops/conv2d/estimate.ts'
import { spreadOf, transformTolerance } from '../../../src/ops/conv2d/tolerance.ts'
import { amplification, errorOf, POINTS } from '../../../src/ops/conv2d/winograd/points.ts'
import { FACTS } from '../facts.ts'
import { convolutionAt, type GridPoint } from './grid.ts'

const HALVES = { ...FACTS, features: new Set(['shader-f16']) }
const NO_HALVES = { ...FACTS, features: new Set<string>() }

function configOf(given: Partial<WinogradConfig>): WinogradConfig {
  return { algorithm: 'winograd', tile: 4, half: false, ...given }
}

/** A square picture of `size`, filters 3×3, padded by 1. */
function layer(channels: number, size: number, filters: number, attributes: Readonly<Record<string, unknown>> = {}): GridPoint {
  return {
    inputs: [[1, channels, size, size], [filters, channels, 3, 3], null, null],
    attributes: { padding: 1, ...attributes },
  }
}

describe('the transforms of Winograd', () => {
  it.each([2, 4] as const)('give the convolution of any values and filter, tile %d', (tile) => {
    const { values, filter, outputs } = POINTS[tile]
    const d = Array.from({ length: tile + 2 }, (_, index) => Math.sin(3 * index + 1))
    const g = [0.7, -1.3, 0.45]
    const dot = (row: readonly number[], x: readonly number[]): number => row.reduce((sum, entry, at) => sum + entry * x[at]!, 0)
    const products = values.map((row, point) => dot(row, d) * dot(filter[point]!, g))
    for (const [at, row] of outputs.entries()) expect(dot(row, products)).toBeCloseTo(dot(g, d.slice(at, at + 3)), 12)
  })

  it('enlarge errors by 8 in F(2, 3) and by 22 in F(4, 3)', () => {
    expect(amplification(2).worst).toBe(8)
    expect(amplification(4).worst).toBeCloseTo(22, 12)
    expect(amplification(2).squares).toBeCloseTo(Math.sqrt(22), 12)
    expect(amplification(4).squares).toBeCloseTo(11.7726, 4)
  })

  it('err more with larger tiles, with more channels, and far more in halves', () => {
    const full = { isTall: true, channels: 64, stored: 'f32', accumulate: 'f32' } as const
    const half = { ...full, stored: 'f16' } as const
    expect(errorOf(4, full)).toBeGreaterThan(7 * errorOf(2, full))
    expect(errorOf(2, { ...full, channels: 512 })).toBeGreaterThan(errorOf(2, full))
    expect(errorOf(2, half)).toBeGreaterThan(100 * errorOf(2, full))
    expect(errorOf(2, { ...half, accumulate: 'f16' })).toBeGreaterThan(9 * errorOf(2, half))
    expect(errorOf(2, { ...full, isTall: false })).toBeLessThan(errorOf(2, full))
  })
})

describe('the work of Winograd', () => {
  it.each([
    { tile: 2, size: 16, fewer: 2.25 },
    { tile: 4, size: 16, fewer: 4 },
    // Ragged: 7 × 7 outputs are 4 × 4 tiles of 2, or 2 × 2 of 4.
    { tile: 2, size: 7, fewer: (9 * 49) / (16 * 16) },
    { tile: 4, size: 7, fewer: (9 * 49) / (4 * 36) },
  ] as const)('is $fewer times fewer multiplications than direct, tile $tile on $size × $size', ({ tile, size, fewer }) => {
    const conv = convolutionAt(layer(32, size, 48))
    const { multiplications, additions, bytes } = winograd.work(conv, configOf({ tile }))
    expect(macsOf(conv) / multiplications).toBeCloseTo(fewer, 12)
    expect(additions).toBeGreaterThan(multiplications)
    expect(bytes).toBeGreaterThan(4 * (32 + 48) * size * size)
  })

  it('is 1.5 and 2 times fewer where filters are a row of 3', () => {
    const conv = convolutionAt({ inputs: [[2, 8, 64], [8, 8, 3], null, null], attributes: { padding: 1 } })
    const of = (tile: 2 | 4): number => macsOf(conv) / winograd.work(conv, configOf({ tile })).multiplications
    expect([of(2), of(4)]).toEqual([1.5, 2])
  })
})

describe('where Winograd is taken', () => {
  const refused = (point: GridPoint, config: Partial<WinogradConfig> = {}, dtype: 'f32' | 'f16' = 'f32'): string | undefined =>
    refusalOf(convolutionAt(point, dtype), configOf(config), HALVES)

  it.each([
    ['strides', layer(16, 9, 16, { stride: 2 }), /strides are 2 and 2/],
    ['dilations', layer(16, 9, 16, { dilation: 2 }), /dilations are 2 and 2/],
    ['other kernels', { ...layer(16, 9, 16), inputs: [[1, 16, 9, 9], [16, 16, 5, 5], null, null] }, /kernel is 1×5×5/],
    ['no channels', layer(0, 9, 16), /no channels/],
  ])('refuses %s', (_, point, reason) => {
    expect(refused(point)).toMatch(reason)
  })

  it('refuses F(4, 3) in halves beyond the bound, says so, and takes it where the caller allows more', () => {
    const point = layer(64, 14, 64)
    expect(refused(point, {}, 'f16')).toBeUndefined()
    expect(refused(point, { half: true, tile: 2 }, 'f16')).toBeUndefined()
    expect(refused(point, { half: true }, 'f16')).toBe('its error bound is 0.053, and maxError 0.016')
    expect(refused({ ...point, attributes: { ...point.attributes, maxError: 0.1 } }, { half: true }, 'f16')).toBeUndefined()
    expect(() => forced(convolutionAt(point, 'f16'), configOf({ half: true }), HALVES)).toThrow(
      /cannot run this convolution: its error bound is 0.053/,
    )
    expect(refusalOf(convolutionAt(point), configOf({ tile: 2, half: true }), NO_HALVES)).toMatch(/shader-f16/)
  })

  it('respects a bound of the caller', () => {
    const strict = layer(64, 14, 64, { maxError: 2e-5 })
    expect(refused(strict)).toMatch(/maxError 0.000020/)
    expect(refused(strict, { tile: 2 })).toBeUndefined()
  })

  it('refuses more values than indices reach, and more segments than a kernel binds', () => {
    const large = { inputs: [[64, 64, 512, 512], [64, 64, 3, 3], null, null], attributes: { padding: 1 } }
    expect(refused(large)).toMatch(/32-bit indices/)
    const limits = { ...FACTS.limits, maxStorageBufferBindingSize: 2 ** 16, maxStorageBuffersPerShaderStage: 8 }
    const conv = convolutionAt(layer(64, 56, 64))
    expect(refusalOf(conv, configOf({}), { ...FACTS, limits })).toMatch(/segments/)
  })

  it('prefers large tiles where there are more than a few, and is not measured for few channels', () => {
    const tiles = (point: GridPoint): readonly unknown[] => winograd.candidates(convolutionAt(point), FACTS).map(({ tile }) => tile)
    expect(tiles(layer(64, 56, 64))).toEqual([4, 2])
    expect(tiles(layer(256, 14, 256))).toEqual([4, 2])
    expect(tiles(layer(512, 7, 512))).toEqual([2, 4])
    expect(tiles(layer(3, 56, 64))).toEqual([])
    expect(tiles(layer(64, 56, 8))).toEqual([])
    expect(tiles(layer(64, 56, 64, { stride: 2 }))).toEqual([])
  })
})

describe('the estimate of Winograd', () => {
  const software = { ...FACTS, software: true, subgroups: { min: 8, max: 8, linear: true } }
  const seconds = (point: GridPoint, config: AlgorithmConfig): number =>
    estimateConvolution(convolutionAt(point), config, software).seconds

  it('ranks it before the implicit product, and tiles by how many there are, as measured on lavapipe', () => {
    const implicit = { algorithm: 'implicit-gemm' }
    for (const [channels, size] of [
      [64, 56],
      [128, 28],
      [256, 14],
    ] as const) {
      const point = layer(channels, size, channels)
      expect(seconds(point, configOf({}))).toBeLessThan(seconds(point, configOf({ tile: 2 })))
      expect(seconds(point, configOf({ tile: 2 }))).toBeLessThan(seconds(point, implicit))
    }
    const small = layer(512, 7, 512)
    expect(seconds(small, configOf({ tile: 2 }))).toBeLessThan(seconds(small, configOf({})))
  })
})

describe('the tolerance for algorithms that transform', () => {
  it('is that of the forced configuration, else the largest that may be chosen', () => {
    const conv = convolutionAt(layer(64, 14, 64))
    const of = (tile: 2 | 4): object => ({
      error: winograd.error(conv, configOf({ tile })),
      reach: [0, tile - 1, tile - 1],
    })
    expect(spreadOf(conv, configOf({ tile: 2 }))).toMatchObject(of(2))
    expect(spreadOf(conv, configOf({ tile: 4 }))).toMatchObject(of(4))
    expect(spreadOf(conv, 'winograd')).toMatchObject(of(4))
    expect(spreadOf(conv)).toMatchObject(of(4))
    expect(spreadOf({ ...conv, maxError: 2e-5 }, 'winograd')).toMatchObject(of(2))
    expect(spreadOf(conv, 'implicit-gemm')).toBeUndefined()
    expect(spreadOf(conv, { algorithm: 'direct' })).toBeUndefined()
    expect(spreadOf({ ...conv, maxError: 1e-9 }, 'winograd')).toBeUndefined()
    expect(winograd.spread?.(convolutionAt(layer(64, 14, 64, { stride: 2 })))).toBeUndefined()
    expect(DEFAULT_MAX_ERROR).toBeGreaterThan(winograd.error(convolutionAt(layer(2048, 14, 64)), configOf({ tile: 4 })))
  })

  it('reaches as far as tiles do, and is infinite only where a NaN is near', () => {
    const conv = convolutionAt({ inputs: [[1, 1, 1, 12], [1, 1, 1, 3], null, null], attributes: {} })
    const x = Float32Array.from({ length: 12 }, (_, at) => (at === 0 ? NaN : at === 11 ? -5 : 1))
    const w = Float32Array.of(1, -2, 0.5)
    const bound = transformTolerance(x, w, conv, { error: 0.125, reach: [0, 0, 2] })
    // taps · max|w| · max|x| over outputs p-2 … p+2, each of which sees x[p] … x[p+2].
    const base = 0.125 * 3 * 2
    expect(Array.from(bound, (value) => value / base)).toEqual([Infinity, Infinity, Infinity, 1, 1, 1, 1, 5, 5, 5])
    const all = transformTolerance(x, w, conv, { error: 0.1, reach: [0, 0, Infinity] })
    expect(all.every((value) => value === Infinity)).toBe(true)
    const faint = transformTolerance(new Float32Array(12), w, conv, { error: 1, reach: [0, 0, 0], least: 0.25 })
    expect(faint.every((value) => value === 3 * 2 * 0.25)).toBe(true)
  })

  it('keeps pictures and groups apart', () => {
    const conv = convolutionAt({ inputs: [[2, 4, 1, 3], [2, 2, 1, 3], null, null], attributes: { groups: 2 } })
    const x = Float32Array.from({ length: 24 }, (_, at) => 1 + Math.floor(at / 3))
    const w = Float32Array.of(1, 0, 0, 0, 10, 0, 0, 0, 100, 1000, 0, 0)
    expect([...transformTolerance(x, w, conv, { error: 1, reach: [0, 0, 3] })]).toEqual(
      [1 + 20, 300 + 4000, 5 + 60, 700 + 8000].map((sum) => 3 * sum),
    )
  })
})
