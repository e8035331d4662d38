/** Orders of channels: what they keep, that they are orders, and the parts of the search against plain sums. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OptionError, ShapeError } from '../../src/errors.ts'
import { Random } from '../../src/schedule/search/random.ts'
import { maskReport, pruneMask } from '../../src/sparsity/mask.ts'
import { defaultBudget, permutationSteps, searchPermutation, type ChannelMatrix } from '../../src/sparsity/permutation.ts'
import { redeal } from '../../src/sparsity/stripe-groups.ts'
import { Stripes } from '../../src/sparsity/stripes.ts'
import { SwapTable } from '../../src/sparsity/swaps.ts'

function uniform(lines: number, channels: number, seed: number): ChannelMatrix & { values: Float32Array } {
  const random = new Random(seed)
  return { values: Float32Array.from({ length: lines * channels }, () => random.next()), lines, channels }
}

/** What 2:4 keeps of a matrix with its channels in an order, by way of the mask. */
function keptIn({ values, lines, channels }: ChannelMatrix, order: ArrayLike<number>): number {
  const permuted = Array.from(
    { length: lines * channels },
    (_, at) => values[at - (at % channels) + (order[at % channels] ?? 0)] ?? 0,
  )
  return maskReport({ values: permuted }, pruneMask({ values: permuted, shape: [lines, channels] }, { kind: '2:4', share: 1 }))
    .keptMagnitude
}

const identity = (channels: number): number[] => [...Array(channels).keys()]

describe('search', () => {
  test.each([1, 2, 3])('efficacy of at least 30 on a uniform random 64×128 matrix, seed %i', (seed) => {
    const matrix = uniform(64, 128, seed)
    const { order, kept, unpermuted, unstructured, efficacy } = searchPermutation(matrix, { seed })
    expect(efficacy).toBeGreaterThanOrEqual(30)
    expect(efficacy).toBeCloseTo(((kept - unpermuted) / (unstructured - unpermuted)) * 100)
    expect([...order].sort((a, b) => a - b)).toEqual(identity(128))
    expect(kept).toBeCloseTo(keptIn(matrix, order), 6)
    expect(unpermuted).toBeCloseTo(keptIn(matrix, identity(128)), 6)
    const half = matrix.values.toSorted().slice(32 * 128)
    expect(unstructured).toBeCloseTo(
      half.reduce((sum, value) => sum + value, 0),
      6,
    )
  })

  test('never worse than the order given, whatever the shape', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: 0, max: 23 }),
        fc.nat(),
        fc.nat(3),
        (lines, channels, seed, steps) => {
          const random = new Random(seed)
          const values = Array.from({ length: lines * channels }, () => random.below(steps + 1) - random.below(3))
          const matrix = { values, lines, channels }
          const { order, kept, unpermuted, unstructured, efficacy } = searchPermutation(matrix, { seed, budget: 4000 })
          expect([...order].sort((a, b) => a - b)).toEqual(identity(channels))
          expect(kept).toBeCloseTo(keptIn(matrix, order), 9)
          expect(unpermuted).toBeCloseTo(keptIn(matrix, identity(channels)), 9)
          expect(kept).toBeGreaterThanOrEqual(unpermuted)
          expect(kept).toBeLessThanOrEqual(unstructured + 1e-9)
          expect(efficacy).toBeGreaterThanOrEqual(0)
          if (kept === unpermuted) expect([...order]).toEqual(identity(channels))
        },
      ),
      { numRuns: 60 },
    )
  })

  test('finds the best of eight channels', () => {
    for (const seed of [1, 2, 3, 4]) {
      const matrix = uniform(6, 8, seed)
      let best = 0
      for (let bits = 1; bits < 256; bits += 2) {
        const mine = identity(8).filter((channel) => (bits >> channel) & 1)
        if (mine.length === 4)
          best = Math.max(best, keptIn(matrix, [...mine, ...identity(8).filter((channel) => !mine.includes(channel))]))
      }
      expect(searchPermutation(matrix).kept).toBeCloseTo(best, 6)
    }
  })

  test('large channels that began together are spread', () => {
    const values = Array.from({ length: 8 * 16 }, (_, at) => (at % 16 < 8 ? 1 : 0))
    expect(searchPermutation({ values, lines: 8, channels: 16 })).toMatchObject({
      unpermuted: 32,
      kept: 64,
      unstructured: 64,
      efficacy: 100,
    })
  })

  test('the channels of a short last group are found, too', () => {
    // 17 channels: the last is alone, and kept whatever it is.
    const values = Array.from({ length: 4 * 17 }, (_, at) => (at % 17 === 16 ? 0 : 1))
    const { order, kept, unpermuted } = searchPermutation({ values, lines: 4, channels: 17 })
    expect([unpermuted, kept]).toEqual([32, 36])
    expect(order[16]).not.toBe(16)
  })

  test('the same for the same seed; stops where it is told to, within its budget', () => {
    const matrix = uniform(64, 64, 5)
    const [once, again, other] = [7, 7, 8].map((seed) => searchPermutation(matrix, { seed, budget: 80_000 }))
    expect(again).toEqual(once)
    expect(other?.order).not.toEqual(once?.order)
    expect(searchPermutation(matrix, { signal: AbortSignal.abort() })).toMatchObject({
      efficacy: 0,
      order: Uint32Array.from(identity(64)),
    })

    const stop = new AbortController()
    const wide = uniform(2048, 64, 5)
    const seen: number[] = []
    const stopped = searchPermutation(wide, {
      signal: stop.signal,
      onProgress: ({ spent, budget, efficacy }) => {
        seen.push(spent)
        expect(spent).toBeLessThanOrEqual(budget)
        expect(efficacy).toBeGreaterThanOrEqual(0)
        if (seen.length === 2) stop.abort()
      },
    })
    expect(seen.length).toBe(2)
    expect(stopped.kept).toBeGreaterThan(stopped.unpermuted)

    const spent = [...permutationSteps(wide, { budget: 60_000 })].map((progress) => progress.spent)
    expect(spent.length).toBeGreaterThan(1)
    expect(Math.max(...spent)).toBeLessThanOrEqual(60_000)
    expect(defaultBudget(64, 64)).toBe(20 * 64 * 64)
  })

  test('what is no matrix, seed or budget', () => {
    expect(() => searchPermutation({ values: [1, 2, 3], lines: 2, channels: 2 })).toThrow(ShapeError)
    expect(() => searchPermutation({ values: [1, NaN, 3, 4], lines: 2, channels: 2 })).toThrow(/weight at 1/)
    expect(() => searchPermutation(uniform(2, 8, 1), { seed: 0.5 })).toThrow(OptionError)
    expect(() => searchPermutation(uniform(2, 8, 1), { budget: 0 })).toThrow(OptionError)
  })
})

describe('parts of the search', () => {
  test('what a swap gains is what swapping gains, in stripes and in a table', () => {
    const matrix = uniform(13, 18, 9)
    const stripes = new Stripes(matrix.values, 13, 18)
    const table = new SwapTable(stripes, Uint32Array.of(0, 1, 2, 3, 4), 0)
    const random = new Random(3)
    let tried = 0
    while (tried < 60) {
      const [place, other] = [random.below(18), random.below(18)]
      if (place >> 2 === other >> 2) continue
      const before = stripes.total
      const gain = table.gain(place, other)
      expect(stripes.gain(place, other)).toBeCloseTo(gain, 6)
      table.swap(place, other)
      expect(stripes.total - before).toBeCloseTo(gain, 6)
      expect(stripes.total).toBeCloseTo(keptIn(matrix, stripes.order.slice(0, 18)), 5)
      tried++
    }
    expect([table.isMovable(17), table.isMovable(18), table.isMovable(19)]).toEqual([true, false, false])
  })

  test('a step makes the best swap of all, until none is left', () => {
    const matrix = uniform(10, 14, 2)
    const stripes = new Stripes(matrix.values, 10, 14)
    const table = new SwapTable(stripes, Uint32Array.of(0, 1, 2, 3), 1e-6)
    const bestGain = (): number => {
      const gains = identity(14).flatMap((place) =>
        identity(14).map((other) => (place >> 2 === other >> 2 ? 0 : stripes.gain(place, other))),
      )
      return Math.max(...gains)
    }
    let steps = 0
    for (;;) {
      const best = bestGain()
      const gain = table.step()
      if (gain === 0) {
        expect(best).toBeLessThanOrEqual(1e-5)
        break
      }
      expect(gain).toBeCloseTo(best, 5)
      steps++
    }
    expect(steps).toBeGreaterThan(3)
  })

  test('two stripes dealt anew keep what the best of all deals keeps', () => {
    for (const seed of [1, 2, 3]) {
      const matrix = uniform(7, 12, seed)
      const stripes = new Stripes(matrix.values, 7, 12)
      const before = stripes.total
      const gained = redeal(stripes, 0, 2, 1e-9)
      expect(stripes.total - before).toBeCloseTo(gained, 5)
      expect(redeal(stripes, 0, 2, 1e-6)).toBe(0)
      for (const channel of identity(4)) expect([...stripes.order.slice(4, 8)]).toContain(channel + 4)
      expect(stripes.keptBy(0, 5, 9, 11)).toBeCloseTo(
        keptIn(
          {
            values: Array.from({ length: 28 }, (_, at) => matrix.values[(at >> 2) * 12 + ([0, 5, 9, 11][at % 4] ?? 0)] ?? 0),
            lines: 7,
            channels: 4,
          },
          identity(4),
        ),
        5,
      )
    }
  })
})
