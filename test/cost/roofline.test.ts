/** Intensity, ridge and bound. */
import { describe, expect, test } from 'vitest'
import { evaluate } from '../../src/cost/evaluate.ts'
import { compulsoryBytes, compulsoryWork, machineOf, mappedWork, roofline } from '../../src/cost/roofline.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import { convProblem, gemmProblem } from '../../src/schedule/problem.ts'

describe('roofline', () => {
  const machine = { peak: 100, bandwidth: 10 }

  test('memory below the ridge, arithmetic at and above it', () => {
    expect(roofline({ operations: 50, bytes: 10 }, machine)).toEqual({ intensity: 5, ridge: 10, attainable: 50, bound: 'memory' })
    expect(roofline({ operations: 100, bytes: 10 }, machine)).toEqual({
      intensity: 10,
      ridge: 10,
      attainable: 100,
      bound: 'compute',
    })
    expect(roofline({ operations: 1, bytes: 0 }, machine)).toMatchObject({ intensity: Infinity, attainable: 100, bound: 'compute' })
  })

  test('compulsory bytes: each word once, padding and skipped words left out', () => {
    expect(compulsoryBytes(gemmProblem({ i: 2, j: 3, k: 5 }), 4)).toBe(4 * (15 + 10 + 6))
    expect(compulsoryBytes(convProblem({ P: 4, Q: 4, R: 3, S: 3, padding: [1, 1, 1, 1] }), 2)).toBe(2 * (9 + 16 + 16))
    expect(compulsoryBytes(convProblem({ P: 4, stride: [3, 1] }), 1)).toBe(1 + 4 + 4)
    expect(compulsoryWork(gemmProblem({ i: 2, j: 3, k: 5 }), 4).operations).toBe(60)
  })

  test('a mapping moves at least the compulsory bytes; a machine needs clock and bandwidth', () => {
    const problem = convProblem({ M: 4, C: 3, P: 6, Q: 6, R: 3, S: 3, padding: [1, 1, 1, 1] })
    const hardware: Hardware = {
      name: 'h',
      array: { x: 2, y: 2 },
      levels: [
        { name: 'DRAM', energy: 1, bandwidth: { read: 4, write: 2 } },
        { name: 'RF', energy: 1 },
      ],
      network: { energy: 0 },
      mac: { energy: 1 },
      word_bits: 16,
      clock_hz: 1e6,
    }
    const loops = (temporal: [['P', 6]] | []): { name: string; temporal: typeof temporal } => ({ name: 'DRAM', temporal })
    const inner = {
      name: 'RF',
      temporal: [
        ['M', 4],
        ['C', 3],
        ['P', 6],
        ['Q', 6],
        ['R', 3],
        ['S', 3],
      ] as const,
    }
    const whole = mappedWork(evaluate(problem, hardware, { levels: [loops([]), inner] }), hardware)
    expect(whole).toEqual(compulsoryWork(problem, 2))
    expect(machineOf(hardware)).toEqual({ peak: 8e6, bandwidth: 4e6 })
    expect(machineOf({ ...hardware, levels: [{ name: 'DRAM', energy: 1 }] })).toBeUndefined()
  })
})
