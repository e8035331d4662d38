import { describe, expect, it } from 'vitest'
import { quantumOf, repeatsFor } from '../../src/gpu/timer.ts'

/** Differences between readings of a clock that ticks every `step` ns and reports whole nanoseconds. */
function ticks(step: number): number[] {
  const readings = Array.from({ length: 40 }, (_, i) => Math.round(((i * i * 13 + i * 7) % 911) * step)).toSorted((a, b) => a - b)
  return readings.slice(1).map((reading, i) => reading - readings[i]!)
}

describe('quantumOf', () => {
  it.each([1, 4, 32, 100_000, 65_536])('finds a whole step of %i ns', (step) => {
    expect(quantumOf(ticks(step))).toBe(step)
  })

  it.each([52.0833, 83.3333, 40.69])('finds a step of %f ns behind rounding', (step) => {
    expect(quantumOf(ticks(step))).toBeCloseTo(step, 1)
  })

  it('is 1 where nothing was seen', () => {
    expect(quantumOf([])).toBe(1)
    expect(quantumOf([0, 0])).toBe(1)
  })
})

describe('repeatsFor', () => {
  it('keeps a sample of 100 quanta or more', () => {
    expect(repeatsFor(1e7, 3, 1e5)).toBe(3)
  })

  it('lengthens a short one until it lasts 100 quanta', () => {
    for (const [run, quantum] of [
      [2000, 1000],
      [9e6, 1e5],
      [50, 100],
    ] as const) {
      let repeats = 1
      for (let step = 0; step < 12; step++) {
        const elapsed = Math.floor((run * repeats) / quantum) * quantum
        const next = repeatsFor(elapsed, repeats, quantum)
        expect(next).toBeLessThanOrEqual(Math.max(repeats, 4096))
        if (next === repeats) break
        repeats = next
      }
      expect(run * repeats).toBeGreaterThanOrEqual(100 * quantum)
    }
  })
})
