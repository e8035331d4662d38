/** Masks by magnitude: each pattern against a plain search over small weights, ties, edges, and weights that have no rank. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OptionError, ShapeError } from '../../src/errors.ts'
import { largestOf, magnitudesOf, smallestWithin, sumOfLargest } from '../../src/sparsity/magnitude.ts'
import { maskReport, pruneMask, type Weights } from '../../src/sparsity/mask.ts'
import { parsePattern } from '../../src/sparsity/pattern.ts'

const mask = (weights: Weights, pattern: string): number[] => [...pruneMask(weights, parsePattern(pattern))]
const matrix = (rows: number[][]): Weights => ({ values: rows.flat(), shape: [rows.length, rows[0]?.length ?? 0] })
const zeros = (kept: ArrayLike<number>): number => Array.from(kept).filter((one) => one === 0).length

/** Small integers: many ties. */
const weightsOf = fc
  .tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 11 }), fc.integer({ min: 1, max: 4 }))
  .chain(([filters, channels, taps]) =>
    fc
      .array(fc.integer({ min: -4, max: 4 }), { minLength: filters * channels * taps, maxLength: filters * channels * taps })
      .map((values) => ({ values, shape: [filters, channels, taps] as const })),
  )

describe('2:4', () => {
  test('the two largest of four; of equals those before', () => {
    expect(mask(matrix([[1, -4, 3, 2]]), '2:4')).toEqual([0, 1, 1, 0])
    expect(mask(matrix([[2, 2, 2, 2]]), '2:4')).toEqual([1, 1, 0, 0])
    expect(mask(matrix([[0, 1, 0, 1]]), '2:4')).toEqual([0, 1, 0, 1])
    expect(mask(matrix([[1, 2, 2, 2]]), '2:4')).toEqual([0, 1, 1, 0])
    expect(mask(matrix([[0, 0, 0, -0]]), '2:4')).toEqual([1, 1, 0, 0])
  })

  test('channels missing in the last group count as zeros', () => {
    expect(mask(matrix([[1, 2, 3, 4, 0]]), '2:4')).toEqual([0, 0, 1, 1, 1])
    expect(mask(matrix([[0, 0, 5]]), '2:4')).toEqual([1, 0, 1])
  })

  test('filters that share positions keep those of the largest sum', () => {
    const weights = matrix([
      [8, 1, 0, 2],
      [0, 8, 0, 9],
      [5, 0, 0, 6],
      [0, 0, 0, 0],
      [0, 3, 1, 2],
    ])
    const shared = [1, 0, 0, 1]
    expect(mask(weights, '2:4x4')).toEqual([...shared, ...shared, ...shared, ...shared, 0, 1, 0, 1])
    expect(mask(weights, '2:4x8')).toEqual([...shared, ...shared, ...shared, ...shared, ...shared])
  })

  test('any weights: two of each four, or all of two, and no other choice keeps more', () => {
    fc.assert(
      fc.property(weightsOf, fc.constantFrom(1, 4, 8), ({ values, shape }, share) => {
        const [filters, channels, taps] = shape
        const kept = pruneMask({ values, shape }, { kind: '2:4', share })
        const at = (filter: number, channel: number, tap: number): number => (filter * channels + channel) * taps + tap
        for (let top = 0; top < filters; top += share) {
          const rows = [...Array(Math.min(share, filters - top)).keys()].map((row) => top + row)
          for (let first = 0; first < channels; first += 4) {
            const group = [...Array(Math.min(4, channels - first)).keys()].map((channel) => first + channel)
            for (let tap = 0; tap < taps; tap++) {
              const sums = group.map((channel) => rows.reduce((sum, row) => sum + Math.abs(values[at(row, channel, tap)] ?? 0), 0))
              const ranked = sums.map((sum, place) => ({ sum, place })).sort((a, b) => b.sum - a.sum || a.place - b.place)
              const best = new Set(ranked.slice(0, 2).map(({ place }) => place))
              for (const row of rows) {
                expect(group.map((channel) => kept[at(row, channel, tap)])).toEqual(
                  group.map((_, place) => (best.has(place) ? 1 : 0)),
                )
              }
            }
          }
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe('parts', () => {
  test('unstructured: exactly as many zeros as asked for, the smallest', () => {
    fc.assert(
      fc.property(weightsOf, fc.double({ min: 0, max: 1, noNaN: true }), ({ values, shape }, sparsity) => {
        const kept = pruneMask({ values, shape }, { kind: 'unstructured', sparsity })
        expect(zeros(kept)).toBe(Math.round(sparsity * values.length))
        const ranked = values.map((value, at) => ({ size: Math.abs(value), at })).sort((a, b) => a.size - b.size || b.at - a.at)
        expect(ranked.slice(0, zeros(kept)).every(({ at }) => kept[at] === 0)).toBe(true)
      }),
    )
  })

  test('filters and channels of the smallest norm, one left at least', () => {
    const weights = { values: [1, 1, 1, 1, 0, 3, 0, 0, 2, 0, 2, 0], shape: [3, 2, 2] }
    expect(mask(weights, 'filter:0.34')).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1])
    expect(mask(weights, 'filter:1')).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0])
    expect(mask(weights, 'channel:0.5')).toEqual([1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0])
    expect(mask({ values: [1, 1, 1, 1], shape: [2, 2] }, 'filter:0.5')).toEqual([1, 1, 0, 0])
  })

  test('blocks, ragged at both edges, by their mean', () => {
    const weights = matrix([
      [1, 1, 5],
      [1, 1, 5],
      [3, 3, 0],
    ])
    expect(mask(weights, 'block:2x2:0.25')).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0])
    expect(mask(weights, 'block:2x2:0.5')).toEqual([0, 0, 1, 0, 0, 1, 1, 1, 0])
    expect(mask(weights, 'block:9x9:0.5')).toEqual(Array(9).fill(1))
  })

  test('blocks cross from channel to channel as the weights lie', () => {
    expect(mask({ values: [9, 0, 0, 9, 9, 9], shape: [1, 3, 2] }, 'block:1x3:0.5')).toEqual([0, 0, 0, 1, 1, 1])
  })

  test('nothing to prune', () => {
    for (const pattern of ['2:4', 'unstructured:0.5', 'filter:0.5', 'channel:0.5', 'block:2x2:0.5']) {
      for (const shape of [
        [0, 4],
        [4, 0],
        [2, 3, 0],
      ])
        expect(mask({ values: [], shape }, pattern)).toEqual([])
    }
  })

  test('what has no rank, or no shape, is refused', () => {
    for (const value of [NaN, Infinity, -Infinity, 1e39]) {
      expect(() => mask(matrix([[1, 2, value, 3]]), '2:4')).toThrow(OptionError)
      expect(() => mask(matrix([[1, 2, value, 3]]), '2:4')).toThrow(/weight at 2/)
    }
    expect(() => mask({ values: [1, 2], shape: [2] }, '2:4')).toThrow(ShapeError)
    expect(() => mask({ values: [1, 2], shape: [2, 2] }, '2:4')).toThrow(/2 weights and room for 4/)
    expect(() => pruneMask(matrix([[1]]), { kind: 'filter', sparsity: 2 })).toThrow(OptionError)
  })
})

describe('magnitudes', () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.float({ min: 0, max: Math.fround(1e30), noNaN: true })), {
    maxLength: 60,
  })

  test('the largest, their sum, and how many of the smallest a sum holds', () => {
    fc.assert(
      fc.property(sizes, fc.double({ min: 0, max: 1, noNaN: true }), (values, part) => {
        const magnitudes = magnitudesOf(values)
        const sorted = [...magnitudes].sort((a, b) => b - a)
        const count = Math.floor(part * magnitudes.length)
        const { threshold, ties } = largestOf(magnitudes, count)
        expect(sorted.filter((value) => value > threshold).length + ties).toBe(count)
        if (count > 0) expect(threshold).toBe(sorted[count - 1])
        const sum = sorted.slice(0, count).reduce((total, value) => total + value, 0)
        expect(Math.abs(sumOfLargest(magnitudes, count) - sum)).toBeLessThanOrEqual(1e-12 * sum)
      }),
    )
  })

  test('small integers, whose sums are exact', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 60 }), fc.nat(1_000_000), (values, most) => {
        const found = smallestWithin(magnitudesOf(values), most)
        const ascending = values.toSorted((a, b) => a - b)
        let sum = 0
        let count = 0
        while (count < ascending.length && sum + (ascending[count] ?? 0) <= most) sum += ascending[count++] ?? 0
        expect(found).toEqual({ count, sum })
      }),
    )
  })
})

describe('report', () => {
  test('counts and magnitude', () => {
    const values = [1, -2, 0, 5]
    expect(maskReport({ values }, Uint8Array.of(0, 1, 1, 1))).toEqual({
      weights: 4,
      kept: 3,
      nonZero: 2,
      sparsity: 0.5,
      magnitude: 8,
      keptMagnitude: 7,
      retained: 0.875,
    })
    expect(maskReport({ values: [0, 0] }, Uint8Array.of(1, 0)).retained).toBe(1)
    expect(() => maskReport({ values }, Uint8Array.of(1))).toThrow(ShapeError)
  })
})
