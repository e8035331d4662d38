import { describe, expect, test } from 'vitest'
import { heUniform, seededTensor, seededValues } from '../../models/seeded.ts'

const UNIT = { centre: 0, spread: 1 }

/** The rule as it is written in models/seeded.ts, in big integers: slow, and sharing nothing with the code. */
function byTheRule(seed: number, name: string, i: number): number {
  const mask = 0xffffffffn
  const fmix = (value: bigint): bigint => {
    let x = value & mask
    x ^= x >> 16n
    x = (x * 0x85ebca6bn) & mask
    x ^= x >> 13n
    x = (x * 0xc2b2ae35n) & mask
    return x ^ (x >> 16n)
  }
  let hash = 0x811c9dc5n
  for (const byte of new TextEncoder().encode(name)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & mask
  const key = fmix(hash ^ fmix(BigInt(seed) + 0x9e3779b9n))
  const bits = fmix(((BigInt(i) * 0x9e3779b1n) & mask) ^ key)
  return Number(BigInt.asIntN(32, bits)) / 2 ** 31
}

describe('seeded values', () => {
  test('follow the stated rule', () => {
    for (const [seed, name] of [
      [0, 'conv1.weight'],
      [1, 'fc6.weight'],
      [2 ** 31, 'größe'],
    ] as const) {
      const values = seededValues(seed, name, 5000, UNIT)
      for (const i of [0, 1, 2, 63, 4999]) expect(values[i]).toBe(Math.fround(byTheRule(seed, name, i)))
    }
  })

  test('have the mean and the variance of their distribution', () => {
    const fanIn = 27
    const values = seededValues(7, 'w', 200_000, heUniform(fanIn))
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
    expect(Math.abs(mean)).toBeLessThan(0.005)
    expect(variance).toBeCloseTo(2 / fanIn, 3)
    expect(Math.max(...values.subarray(0, 10_000))).toBeLessThan(Math.sqrt(6 / fanIn))
  })

  test('neighbours in index, name and seed are not related', () => {
    const correlation = (a: Float32Array, b: Float32Array): number =>
      a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0) / (a.length / 3)
    const n = 100_000
    const base = seededValues(0, 'a', n + 1, UNIT)
    for (const other of [base.subarray(1), seededValues(0, 'b', n, UNIT), seededValues(1, 'a', n, UNIT)]) {
      expect(Math.abs(correlation(base.subarray(0, n), other.subarray(0, n)))).toBeLessThan(0.02)
    }
  })

  test('are made when they are read, the same each time', () => {
    const tensor = seededTensor(3, 'w', [2, 3], UNIT)
    expect(tensor.shape).toEqual([2, 3])
    expect(tensor.values).toEqual(seededValues(3, 'w', 6, UNIT))
    expect(tensor.values).toEqual(tensor.values)
  })
})
