/** Convolution by transforms without a GPU: tiles, refusals, choice of size, work, error, plan. */
import { describe, expect, it } from 'vitest'
import { allCandidates, forced, refusalOf } from '../../../src/ops/conv2d/algorithms.ts'
import { fft, productOf } from '../../../src/ops/conv2d/algorithms/fft.ts'
import type { Convolution } from '../../../src/ops/conv2d/convolution.ts'
import { isWorthwhile, lineWork, linesOf, sizesFor, tilesOf } from '../../../src/ops/conv2d/fft/tiles.ts'
import { flopsOf } from '../../../src/ops/gemm/product.ts'
import { sizeOf } from '../../../src/tensor/shape.ts'
import { FACTS } from '../facts.ts'
import { convolutionAt } from './grid.ts'

interface Sizes {
  readonly batch?: number
  readonly channels?: number
  readonly filters?: number
  readonly kernel?: number
  readonly extent?: number
  readonly groups?: number
  readonly attributes?: Readonly<Record<string, unknown>>
}

function conv({ batch = 1, channels = 8, filters = 8, kernel = 7, extent = 56, groups = 1, attributes = {} }: Sizes): Convolution {
  const inputs = [[batch, channels, extent, extent], [filters, channels / groups, kernel, kernel], null, null]
  return convolutionAt({ inputs, attributes: { padding: Math.floor(kernel / 2), groups, ...attributes } })
}

describe('tiles', () => {
  it('overlap by what a filter covers', () => {
    expect(tilesOf(conv({ kernel: 7 }), 16)).toMatchObject({
      bins: 9,
      frequencies: 144,
      valid: [10, 10],
      across: [6, 6],
      count: 36,
    })
    expect(tilesOf(conv({ kernel: 31, batch: 3 }), 64)).toMatchObject({
      frequencies: 2112,
      valid: [34, 34],
      across: [2, 2],
      count: 12,
    })
    const dilated = conv({ kernel: 5, attributes: { dilation: [3, 1], padding: 0 } })
    expect(tilesOf(dilated, 16)).toMatchObject({ span: [13, 5], valid: [4, 12], across: [11, 5] })
  })

  it('end where the filter covers more than a transform has points', () => {
    expect(tilesOf(conv({ kernel: 16 }), 16)).toMatchObject({ valid: [1, 1] })
    expect(tilesOf(conv({ kernel: 17 }), 16)).toBeUndefined()
    expect(sizesFor(conv({ kernel: 33 }))).toEqual([64])
    expect(sizesFor(conv({ kernel: 65 }))).toEqual([])
  })

  it('pair channels of all groups, and filters of one, where filters see one channel those of all', () => {
    expect(tilesOf(conv({ channels: 9, filters: 15, groups: 3 }), 16)).toMatchObject({
      channelPairs: 5,
      groupPairs: 3,
      filterPairs: 9,
      single: false,
    })
    expect(tilesOf(conv({ channels: 9, filters: 27, groups: 9 }), 16)).toMatchObject({
      groupPairs: 14,
      filterPairs: 14,
      single: true,
    })
  })
})

describe('refusals', () => {
  const refusal = (sizes: Sizes, size?: 16 | 32 | 64): string | undefined =>
    refusalOf(conv(sizes), size === undefined ? { algorithm: 'fft' } : ({ algorithm: 'fft', size } as { algorithm: string }), FACTS)

  it.each<[string, Sizes, 16 | 32 | 64 | undefined, RegExp | undefined]>([
    ['a filter that fits', { kernel: 7 }, 16, undefined],
    ['any size that fits', { kernel: 31 }, undefined, undefined],
    ['2 by 2', { kernel: 2 }, 16, undefined],
    ['a single tap', { kernel: 1 }, 16, /one axis/],
    ['a stride', { attributes: { stride: 2 } }, 16, /stride of 2/],
    ['too few points', { kernel: 17 }, 16, /covers 17 values does not fit a transform of 16/],
    ['dilation beyond all sizes', { kernel: 23, attributes: { dilation: 3 } }, undefined, /covers 67 values.*64/],
    ['too small an error asked for', { attributes: { maxError: 1e-9 } }, 16, /error bound/],
  ])('%s', (_, sizes, size, expected) => {
    if (expected === undefined) expect(refusal(sizes, size)).toBeUndefined()
    else expect(refusal(sizes, size)).toMatch(expected)
  })

  it('three axes', () => {
    const deep = convolutionAt({ inputs: [[1, 2, 9, 9, 9], [2, 2, 3, 3, 3], null, null], attributes: {} })
    expect(refusalOf(deep, { algorithm: 'fft' }, FACTS)).toMatch(/two axes, not three/)
  })
})

describe('choice of size', () => {
  it.each([
    [{ kernel: 5, channels: 64, filters: 64 }, 16],
    [{ kernel: 7, channels: 64, filters: 64 }, 16],
    [{ kernel: 11, channels: 64, filters: 64 }, 32],
    [{ kernel: 15, channels: 64, filters: 64, groups: 64 }, 32],
    [{ kernel: 31, channels: 64, filters: 64, groups: 64 }, 64],
  ])('%o takes %i points', (sizes, size) => {
    expect(sizesFor(conv(sizes))[0]).toBe(size)
    expect(forced(conv(sizes), 'fft', FACTS)).toEqual({ algorithm: 'fft', size })
  })

  it.each<[Sizes, boolean]>([
    // As measured against implicit GEMM: 1.0, 1.8, 1.4 and 2.5 times as fast.
    [{ extent: 28, channels: 32, filters: 64, kernel: 5 }, false],
    [{ extent: 28, channels: 32, filters: 64, kernel: 7 }, true],
    [{ extent: 14, channels: 128, filters: 128, kernel: 7 }, false],
    [{ extent: 14, channels: 128, filters: 128, kernel: 9 }, true],
    // Against direct convolution in tiles: 1.0 and 1.8.
    [{ extent: 112, channels: 3, filters: 32, kernel: 7 }, false],
    [{ extent: 112, channels: 3, filters: 32, kernel: 9 }, true],
    // Against the kernel for filters of one channel: 0.8, 1.2 and 0.7 (the transforms are mostly padding).
    [{ extent: 28, channels: 96, filters: 96, groups: 96, kernel: 5 }, false],
    [{ extent: 56, channels: 64, filters: 64, groups: 64, kernel: 7 }, true],
    [{ extent: 14, channels: 256, filters: 256, groups: 256, kernel: 31 }, false],
    // One channel that all filters share is no depthwise convolution: against direct tiles 0.5, 0.8, 0.6 and 1.5.
    [{ extent: 224, channels: 1, filters: 32, kernel: 5 }, false],
    [{ extent: 224, channels: 1, filters: 64, kernel: 7 }, false],
    [{ extent: 224, channels: 1, filters: 32, kernel: 11 }, false],
    [{ extent: 224, channels: 1, filters: 32, kernel: 15 }, true],
    // Nothing that is refused.
    [{ extent: 200, channels: 64, filters: 64, kernel: 65 }, false],
  ])('%o is worth it: %s', (sizes, worth) => {
    expect(isWorthwhile(conv(sizes))).toBe(worth)
  })

  it('small filters are no candidates, and are allowed nothing for transforms', () => {
    const small = conv({ kernel: 4 })
    expect(allCandidates(small, FACTS).filter(({ algorithm }) => algorithm === 'fft')).toEqual([])
    // By force it runs all the same, and says how far it errs.
    expect(fft.spread?.(small)?.error).toBeGreaterThan(0)
    expect(fft.spread?.(conv({ kernel: 1 }))).toBeUndefined()
    expect(fft.spread?.(small, { algorithm: 'fft', size: 16 })).toMatchObject({ reach: [0, 12, 12] })
    expect(fft.spread?.(conv({ kernel: 5 }))).toMatchObject({ reach: [0, 59, 59] })
  })
})

describe('work', () => {
  it('of a line is that of N log N', () => {
    expect(lineWork(16)).toEqual({ multiplications: 36, additions: 146 })
    expect(lineWork(32)).toEqual({ multiplications: 100, additions: 378 })
    expect(lineWork(64)).toEqual({ multiplications: 260, additions: 930 })
  })

  it('counts the lines that the dispatches transform, and the product', () => {
    for (const sizes of [
      { channels: 6, filters: 9, groups: 3 },
      { channels: 5, filters: 10, groups: 5 },
      { channels: 64, filters: 3, kernel: 9 },
    ]) {
      const given = conv(sizes)
      const tiles = tilesOf(given, 32)
      if (tiles === undefined) throw new Error('Tiles fit')
      const { dispatches } = fft.plan(given, { algorithm: 'fft', size: 32 }, FACTS)
      const line = lineWork(32)
      const own = dispatches.filter(({ program }) => program.name.includes('/fft_'))
      const flops = own.reduce((sum, { cost }) => sum + cost.flops, 0)
      expect(flops).toBe(linesOf(tiles) * (line.multiplications + line.additions))
      const work = fft.work(given, { algorithm: 'fft', size: 32 })
      const macs = 4 * 544 * tiles.count * given.groups * given.channels * given.filters
      expect(work.multiplications).toBe(linesOf(tiles) * 100 + macs)
      if (!tiles.single) expect(flopsOf(productOf(given, tiles))).toBe(2 * macs)
    }
  })

  it('is a fraction of the definition’s for large filters', () => {
    const large = conv({ kernel: 31, channels: 64, filters: 64 })
    expect(fft.work(large, { algorithm: 'fft', size: 64 }).multiplications).toBeLessThan((56 * 56 * 64 * 64 * 961) / 50)
  })
})

it('spectra of filters are prepared, everything else has memory of its own', () => {
  const given = conv({ channels: 6, filters: 10, groups: 2 })
  const plan = fft.plan(given, { algorithm: 'fft', size: 16 }, FACTS)
  expect(plan.prepared).toHaveLength(1)
  // 144 frequencies, 2 groups of 3 channels, real and imaginary rows of 3 pairs of filters.
  expect(sizeOf(plan.prepared?.[0]?.type.shape ?? [])).toBe(144 * 6 * 2 * 3 * 4)
  expect(plan.temps.map(({ shape }) => sizeOf(shape))).toEqual([
    36 * 16 * 9 * 3 * 4,
    144 * 36 * 3 * 4,
    144 * 36 * 6 * 4,
    36 * 10 * 9 * 6 * 4,
  ])
  const depthwise = fft.plan(conv({ channels: 6, filters: 6, groups: 6 }), { algorithm: 'fft', size: 16 }, FACTS)
  expect(depthwise.dispatches.map(({ program }) => program.name)).toEqual([
    'conv2d/fft_rows',
    'conv2d/fft_through',
    'conv2d/fft_back_rows',
  ])
})
