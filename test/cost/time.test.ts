/** Time by hand: which port bounds, what overlaps, what a systolic array adds. */
import { describe, expect, test } from 'vitest'
import { atPrecision } from '../../src/cost/precision.ts'
import { KINDS, cell, tallyLength, type Kind } from '../../src/cost/tally.ts'
import { CycleCounter, foldsOf, skewOf, timeOf, type Counted } from '../../src/cost/time.ts'
import { encode } from '../../src/schedule/code.ts'
import type { Hardware, StorageLevel } from '../../src/schedule/hardware.ts'
import { DIMENSIONS, OPERANDS, convProblem, extentOf, type Operand } from '../../src/schedule/problem.ts'

function hardware(glb: Partial<StorageLevel> = {}, rest: Partial<Hardware> = {}): Hardware {
  return {
    name: 'three',
    array: { x: 4, y: 3 },
    levels: [
      { name: 'DRAM', energy: 200, bandwidth: { read: 2, write: 1 } },
      { name: 'GLB', energy: 6, words: 1000, bandwidth: { read: 8, write: 4 }, ...glb },
      { name: 'RF', energy: 1, words: 10 },
    ],
    network: { energy: 2 },
    mac: { energy: 1 },
    word_bits: 16,
    clock_hz: 1e6,
    ...rest,
  }
}

function counted(steps: number, counts: readonly (readonly [number, Operand, Kind, number])[], folds?: number): Counted {
  const tally = new Float64Array(tallyLength(3))
  for (const [level, operand, kind, count] of counts) tally[cell(level, OPERANDS.indexOf(operand), KINDS.indexOf(kind))] = count
  return { tally, steps, instances: [1, 1, 12], ...(folds === undefined ? {} : { folds }) }
}

const TRAFFIC = [
  [0, 'weights', 'reads', 100],
  [0, 'inputs', 'reads', 301],
  [0, 'outputs', 'updates', 50],
  [1, 'weights', 'fills', 100],
  [1, 'inputs', 'fills', 301],
  [1, 'inputs', 'reads', 400],
  [1, 'weights', 'reads', 400],
  [1, 'outputs', 'updates', 60],
] as const

describe('bounds', () => {
  test('the slowest port, rounded up, and by how much it is slower than the steps', () => {
    const time = timeOf(hardware(), counted(100, TRAFFIC))
    expect(time.cycles).toBe(201)
    expect(time.bound).toEqual({ by: 'read', level: 'DRAM' })
    expect(time.slowdown).toBe(2.01)
    expect(time.seconds).toBe(201e-6)
    expect(time.ports).toEqual([
      { level: 'DRAM', port: 'read', cycles: 201 },
      { level: 'DRAM', port: 'write', cycles: 50 },
      { level: 'GLB', port: 'read', cycles: 100 },
      { level: 'GLB', port: 'write', cycles: Math.ceil(461 / 4) },
    ])
  })

  test('the steps, where no port is slower', () => {
    const time = timeOf(hardware(), counted(201, TRAFFIC))
    expect(time).toMatchObject({ cycles: 201, bound: { by: 'steps' }, slowdown: 1, exchange: [], systolic: 0 })
  })

  test('bandwidth is that of the instances in use; none given is none needed', () => {
    const each = { ...counted(1, TRAFFIC), instances: [1, 5, 12] }
    expect(timeOf(hardware(), each).ports[2]).toEqual({ level: 'GLB', port: 'read', cycles: 20 })
    const { levels, ...rest } = hardware()
    const free = { ...rest, levels: levels.map(({ name, energy }) => ({ name, energy })) }
    expect(timeOf(free, counted(7, TRAFFIC))).toMatchObject({ cycles: 7, ports: [] })
  })

  test('fewer bits and compression make fewer words on the wire', () => {
    const narrow = atPrecision(hardware(), { inputs: 8 })
    expect(timeOf(narrow, counted(1, TRAFFIC)).ports[0]?.cycles).toBe(Math.ceil((100 + 301 / 2) / 2))
    const { levels, ...rest } = hardware()
    const packed = { ...rest, levels: levels.map((level, at) => (at === 0 ? { ...level, compression: { inputs: 0.25 } } : level)) }
    expect(timeOf(packed, counted(1, TRAFFIC)).ports[0]?.cycles).toBe(Math.ceil((100 + 301 / 4) / 2))
    expect(timeOf(packed, counted(1, TRAFFIC)).ports[2]?.cycles).toBe(100)
  })
})

describe('double buffering', () => {
  test('said to be there, or not spoken of: all overlaps', () => {
    expect(timeOf(hardware({ double_buffered: true }), counted(100, TRAFFIC)).cycles).toBe(201)
  })

  test('said to be absent: loads and what is handed back come on top, and no longer bound what overlaps', () => {
    const time = timeOf(hardware({ double_buffered: false }), counted(100, TRAFFIC))
    // Weights and inputs pass DRAM at 2 words a cycle (the buffer writes 4), outputs return at 1.
    const exchange = Math.ceil(100 / 2 + 301 / 2 + 50)
    expect(time.exchange).toEqual([{ level: 'GLB', cycles: exchange }])
    expect(time.cycles).toBe(100 + exchange)
    expect(time.bound).toEqual({ by: 'steps' })
    expect(time.ports.map(({ cycles }) => cycles)).toEqual([0, 0, 100, 15])
  })

  test('an operand that bypasses the single buffer still overlaps', () => {
    const bypassed = [
      [0, 'weights', 'reads', 100],
      [2, 'weights', 'reads', 100],
      [2, 'weights', 'fills', 100],
      [0, 'inputs', 'reads', 40],
      [1, 'inputs', 'fills', 40],
      [1, 'inputs', 'reads', 80],
    ] as const
    const time = timeOf(hardware({ double_buffered: false }), counted(30, bypassed))
    expect(time.exchange).toEqual([{ level: 'GLB', cycles: 20 }])
    expect(time.cycles).toBe(50 + 20)
    expect(time.bound).toEqual({ by: 'read', level: 'DRAM' })
  })

  test('never faster than with a double buffer, never slower than one after the other', () => {
    for (const steps of [1, 50, 500]) {
      const [single, double] = [false, true].map((isDouble) =>
        timeOf(hardware({ double_buffered: isDouble }), counted(steps, TRAFFIC)),
      )
      expect(single?.cycles).toBeGreaterThanOrEqual(double?.cycles ?? Infinity)
      const all = (double?.ports ?? []).reduce((sum, { cycles }) => sum + cycles, steps)
      expect(single?.cycles).toBeLessThanOrEqual(all + 1)
    }
  })
})

describe('systolic arrays', () => {
  test('fill and drain of each fold', () => {
    const shape = { rows: 12, columns: 14 }
    expect([skewOf('ws', shape), skewOf('is', shape), skewOf('os', shape)]).toEqual([36, 36, 24])
    const time = timeOf(hardware({}, { systolic: 'ws' }), counted(100, TRAFFIC, 20))
    expect(time.systolic).toBe(20 * (2 * 3 + 4 - 2))
    expect(time.cycles).toBe(260)
    expect(timeOf(hardware(), counted(100, TRAFFIC, 20)).systolic).toBe(0)
  })

  test('folds are the trips outside and at the innermost loop of the stationary operand, within the problem', () => {
    const problem = convProblem({ M: 10, C: 7, P: 5 })
    const extents = DIMENSIONS.map((name) => extentOf(problem, name))
    const code = encode({
      levels: [
        {
          name: 'DRAM',
          temporal: [
            ['P', 3],
            ['M', 2],
          ],
        },
        {
          name: 'GLB',
          temporal: [
            ['C', 3],
            ['P', 2],
          ],
          spatial: { x: [['M', 6]], y: [['C', 3]] },
        },
        { name: 'RF', temporal: [] },
      ],
    })
    // M: 10 over 6 lanes is 2 trips; C: 7 over 3 is 3 trips; the outer P loop is 5 over 2, 3 trips.
    expect(foldsOf(code, extents, 'ws')).toBe(3 * 2 * 3)
    expect(foldsOf(code, extents, 'os')).toBe(5 * 2 * 3)
    expect(foldsOf(code, [1, 1, 6, 3, 1, 1, 1, 1], 'ws')).toBe(1)
  })
})

test('one counter serves many mappings', () => {
  const counter = new CycleCounter(hardware({ double_buffered: false }, { systolic: 'os' }))
  const one = counted(100, TRAFFIC, 3)
  const other = counted(5, [[0, 'inputs', 'reads', 9]], 1)
  const cycles = ({ tally, steps, instances, folds }: Counted): number => counter.cycles(tally, steps, instances, folds)
  expect([cycles(one), cycles(other), cycles(one)]).toEqual([100 + 3 * 5 + 251, 10, 100 + 3 * 5 + 251])
})
