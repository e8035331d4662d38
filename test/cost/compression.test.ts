/** Run-length compression: its bits on data, the way there and back, and what random zeros lead one to expect. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hardwareNamed } from '../../models/hardware/index.ts'
import {
  runLengthBits,
  runLengthDecode,
  runLengthEncode,
  runLengthPairs,
  runLengthRatio,
  withRunLength,
} from '../../src/cost/compression.ts'
import { pricesOf } from '../../src/cost/prices.ts'
import { READS, cell } from '../../src/cost/tally.ts'

describe('run-length code of 5-bit runs and 16-bit values', () => {
  test('three pairs and the end bit in a word, as JSSC 2017 draws them', () => {
    const words = runLengthEncode([0, 0, 12, 0, 0, 0, 0, 53, 0, 0, 22])
    const pair = (run: bigint, value: bigint): bigint => (run << 16n) | value
    expect([...words]).toEqual([(((((pair(2n, 12n) << 21n) | pair(4n, 53n)) << 21n) | pair(2n, 22n)) << 1n) | 1n])
  })

  test('runs of 31, 32 and 33 zeros', () => {
    const zeros = (count: number): number[] => Array.from({ length: count }, () => 0)
    expect([31, 32, 33, 64].map((count) => runLengthPairs(zeros(count)))).toEqual([1, 1, 2, 2])
    expect(runLengthPairs([...zeros(31), 7])).toBe(1)
    expect(runLengthPairs([...zeros(32), 7])).toBe(2)
    expect(runLengthBits([])).toBe(0)
    expect(runLengthBits([1, 2, 3, 4])).toBe(128)
  })

  test('what was encoded decodes to the same values, in as many bits as counted', () => {
    const value = fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: -32768, max: 32767 }) },
    )
    fc.assert(
      fc.property(fc.array(value, { maxLength: 400, size: 'max' }), (values) => {
        const words = runLengthEncode(values)
        expect(64 * words.length).toBe(runLengthBits(values))
        expect([...runLengthDecode(words, values.length)]).toEqual(values)
      }),
      { numRuns: 300 },
    )
  })

  test('values of more than 16 bits, words that end early or not at all are refused', () => {
    expect(() => runLengthEncode([65536])).toThrow(/16 bits/)
    expect(() => runLengthEncode([0.5])).toThrow(/16 bits/)
    expect(() => runLengthDecode(runLengthEncode([1, 2, 3]), 200)).toThrow(/hold 3 values of 200/)
    expect(() => runLengthDecode(runLengthEncode([1, 2, 3, 4]).slice(0, 1), 3)).toThrow(/does not say so/)
  })
})

describe('expected ratio', () => {
  test.each([0, 0.1, 0.387, 0.725, 0.95, 1])('%d of the values zero, at random', (fraction) => {
    let seed = 12345
    const random = (): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return seed / 2 ** 32
    }
    const values = Array.from({ length: 200_000 }, () => (random() < fraction ? 0 : 1))
    const measured = runLengthBits(values) / (16 * values.length)
    expect(Math.abs(measured / runLengthRatio(fraction) - 1)).toBeLessThan(0.01)
  })

  test('its ends', () => {
    expect(runLengthRatio(0)).toBeCloseTo(4 / 3, 12)
    expect(runLengthRatio(1)).toBeCloseTo(1 / 24, 12)
    expect(() => runLengthRatio(38.7)).toThrow(/fraction/)
  })

  test('compressed operands cost less at DRAM and nowhere else', () => {
    const plain = hardwareNamed('eyeriss')
    const [before, after] = [pricesOf(plain), pricesOf(withRunLength(plain, { inputs: 0.9 }))]
    const inputs = 1
    expect(after.tally[cell(0, inputs, READS)]).toBeCloseTo(200 * runLengthRatio(0.9), 9)
    expect(after.tally[cell(1, inputs, READS)]).toBe(before.tally[cell(1, inputs, READS)])
    expect(after.tally[cell(0, 0, READS)]).toBe(200)
  })
})
