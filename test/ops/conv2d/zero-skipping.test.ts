import { describe, expect, it } from 'vitest'
import { allCandidates, refusalOf } from '../../../src/ops/conv2d/algorithms.ts'
import { zeroSkipping, type ZeroSkippingConfig } from '../../../src/ops/conv2d/algorithms/zero-skipping.ts'
import { byRule } from '../../../src/ops/conv2d/choose.ts'
import { estimateConvolution } from '../../../src/ops/conv2d/estimate.ts'
import { FACTS } from '../facts.ts'
import { convolutionAt, gridOf } from './grid.ts'

const config: ZeroSkippingConfig = { algorithm: 'zero-skipping', wide: 4, each: 4, lanes: 8 }

function layer(channels: number, filters: number, side = 6, groups = 1) {
  return convolutionAt({
    inputs: [[2, channels, side, side], [filters, channels / groups, 3, 3], null, null],
    attributes: { padding: 1, groups },
  })
}

describe('the zero-skipping convolution', () => {
  it('lists the channels of every pixel, and of padding, in words of 32', () => {
    const { temps, dispatches } = zeroSkipping.plan(layer(80, 40, 6, 2), config, FACTS)
    // Two pictures, two groups, 36 pixels, and padding of each group.
    expect(temps.map(({ shape }) => shape)).toEqual([[146, 2], [146, 40, 2], [146]])
    expect(dispatches.map(({ groups }) => groups)).toEqual([5, 5, 12 * 2 * 2])
  })

  it('dispatches what shapes say: blocks of 32 filters, strips of four outputs', () => {
    expect(zeroSkipping.plan(layer(4, 33), config, FACTS).dispatches.at(-1)?.groups).toBe(24 * 2)
    expect(zeroSkipping.plan(layer(4, 32), config, FACTS).dispatches.at(-1)?.groups).toBe(24)
  })

  it('counts every multiplication, as if no activation were zero', () => {
    expect(zeroSkipping.work(layer(4, 5), config)).toMatchObject({ multiplications: 72 * 5 * 36, additions: 72 * 5 * 36 })
  })

  it('is refused where indices do not reach its lists', () => {
    const wide = convolutionAt({ inputs: [[1, 1024, 1024, 1024], [8, 1024, 1, 1], null, null], attributes: {} })
    expect(refusalOf(wide, config, FACTS)).toBe('lists of 2147485696 words, 32-bit indices reach 2147483648')
    expect(refusalOf(layer(4, 5), config, FACTS)).toBeUndefined()
  })

  it('is refused where its sums do not fit workgroup memory', () => {
    const large = { ...config, wide: 16, each: 16, lanes: 64 } as const
    expect(refusalOf(layer(4, 5), large, FACTS)).toBe('65536 bytes of sums in workgroup memory, at most 16384')
  })

  it('is worth measuring everywhere, taken by rule nowhere, and expected to be slower than what is', () => {
    for (const software of [true, false]) {
      const device = { ...FACTS, software }
      for (const point of gridOf(20)) {
        const conv = convolutionAt(point)
        expect(allCandidates(conv, device).map(({ algorithm }) => algorithm)).toContain('zero-skipping')
        expect(byRule(conv, device).config.algorithm).not.toBe('zero-skipping')
      }
      const conv = layer(128, 128, 28)
      const [own] = zeroSkipping.candidates(conv, device)
      if (own === undefined) throw new Error('There is a candidate')
      const dense = estimateConvolution(conv, byRule(conv, device).config, device)
      expect(estimateConvolution(conv, own, device).seconds).toBeGreaterThan(dense.seconds)
    }
  })
})
