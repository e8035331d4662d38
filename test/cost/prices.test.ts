/** Prices by hand: what each kind of access costs in both conventions, and how bits and compression change it. */
import { describe, expect, test } from 'vitest'
import { evaluate } from '../../src/cost/evaluate.ts'
import { atPrecision } from '../../src/cost/precision.ts'
import { energyOf, isca16Formula, macPrice, pricesOf, type Convention } from '../../src/cost/prices.ts'
import { KINDS, cell, tallyLength, type Kind } from '../../src/cost/tally.ts'
import { OptionError } from '../../src/errors.ts'
import { OPERANDS, convProblem, type Operand } from '../../src/schedule/problem.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'

const HARDWARE: Hardware = {
  name: 'four',
  array: { x: 4, y: 3 },
  levels: [
    { name: 'DRAM', energy: 200 },
    { name: 'GLB', energy: 6, words: 1000, readEnergy: 5, writeEnergy: 7, fanout: { x: 2, y: 2 }, network: { energy: 3 } },
    { name: 'BUF', energy: 4, words: 100 },
    { name: 'RF', energy: 1, words: 10 },
  ],
  network: { energy: 2 },
  mac: { energy: 1, add: 0.1 },
  word_bits: 16,
}
const THREE: Hardware = {
  ...HARDWARE,
  levels: [
    { name: 'DRAM', energy: 200 },
    { name: 'GLB', energy: 6 },
    { name: 'RF', energy: 1 },
  ],
}

function price(hardware: Hardware, level: number, operand: Operand, kind: Kind, convention?: Convention): number | undefined {
  return pricesOf(hardware, convention).tally[cell(level, OPERANDS.indexOf(operand), KINDS.indexOf(kind))]
}

type Counts = readonly (readonly [level: number, operand: Operand, kind: Kind, count: number])[]

function energy(hardware: Hardware, convention: Convention, counts: Counts, macs: number): number {
  const tally = new Float64Array(tallyLength(hardware.levels.length))
  for (const [level, operand, kind, count] of counts) tally[cell(level, OPERANDS.indexOf(operand), KINDS.indexOf(kind))] = count
  return energyOf(pricesOf(hardware, convention), tally, macs)
}

describe('tilewright', () => {
  test('reads and writes of a level, hops of its network, deliveries free', () => {
    for (const operand of OPERANDS) {
      expect(KINDS.map((kind) => price(HARDWARE, 1, operand, kind))).toEqual([5, 7, 7, 3, 0])
      expect(KINDS.map((kind) => price(HARDWARE, 2, operand, kind))).toEqual([4, 4, 4, 2, 0])
    }
  })

  test('accesses and hops are linear in the bits, MACs linear for the addition and quadratic for the multiplication', () => {
    const narrow = atPrecision(HARDWARE, { weights: 4, inputs: 8 })
    expect(KINDS.map((kind) => price(narrow, 0, 'weights', kind))).toEqual([50, 50, 50, 0.5, 0])
    expect(KINDS.map((kind) => price(narrow, 0, 'inputs', kind))).toEqual([100, 100, 100, 1, 0])
    expect(KINDS.map((kind) => price(narrow, 0, 'outputs', kind))).toEqual([200, 200, 200, 2, 0])
    expect(macPrice(narrow)).toBeCloseTo(0.1 + 0.9 / 8, 12)
    expect(macPrice(atPrecision(HARDWARE, { weights: 8, inputs: 8, outputs: 8 }))).toBeCloseTo(0.05 + 0.9 / 4, 12)
    expect(macPrice(atPrecision(HARDWARE, { weights: 32, inputs: 32, outputs: 32 }))).toBeCloseTo(0.2 + 3.6, 12)
  })

  test('a level of wider words pays per value the part that it takes', () => {
    const wide: Hardware = { ...THREE, levels: THREE.levels.map((level, at) => (at === 0 ? { ...level, word_bits: 64 } : level)) }
    expect(price(wide, 0, 'inputs', 'reads')).toBe(50)
    expect(price(atPrecision(wide, { inputs: 8 }), 0, 'inputs', 'reads')).toBe(25)
    expect(price(wide, 1, 'inputs', 'reads')).toBe(6)
  })

  test('compression counts at its level, not on the network below it', () => {
    const packed: Hardware = {
      ...THREE,
      levels: THREE.levels.map((level, at) => (at === 0 ? { ...level, compression: { inputs: 0.5 } } : level)),
    }
    expect(KINDS.map((kind) => price(packed, 0, 'inputs', kind))).toEqual([100, 100, 100, 2, 0])
    expect(price(packed, 0, 'weights', 'reads')).toBe(200)
  })

  test('a precision without a width of a word, bits of no sense, unknown conventions are refused', () => {
    const { word_bits: _, ...widthless } = HARDWARE
    expect(() => pricesOf({ ...widthless, precision: { inputs: 8 } })).toThrow(/word_bits/)
    expect(() => atPrecision(widthless, { inputs: 8 })).toThrow(OptionError)
    expect(() => atPrecision(HARDWARE, { inputs: 0 })).toThrow(/inputs of 0 bits/)
    expect(() => atPrecision(HARDWARE, { inputs: 2.5 })).toThrow(OptionError)
    expect(() => pricesOf(HARDWARE, 'isca' as 'isca16')).toThrow(/tilewright, isca16/)
    expect(() => macPrice({ ...atPrecision(HARDWARE, { inputs: 8 }), mac: { energy: 1, add: 2 } })).toThrow(/more than the whole/)
  })
})

describe('isca16', () => {
  // One word of each, used a = 3 times from DRAM, b = 5 from the buffer, c = 7 PEs, d = 11 times in a PE.
  const [a, b, c, d] = [3, 5, 7, 11]
  const energies = { dram: 200, buffer: 6, array: 2, registers: 1 }

  test('inputs and weights are the formula of the paper', () => {
    const counts: Counts = [
      [0, 'inputs', 'reads', a],
      [0, 'inputs', 'deliveries', a],
      [1, 'inputs', 'fills', a],
      [1, 'inputs', 'reads', a * b],
      [1, 'inputs', 'deliveries', a * b * c],
      [2, 'inputs', 'fills', a * b * c],
      [2, 'inputs', 'reads', a * b * c * d],
    ]
    expect(energy(THREE, 'isca16', counts, 0)).toBe(isca16Formula({ a, b, c, d }, energies).input)
  })

  test('an operand that bypasses the buffer crosses the array all the same', () => {
    const counts: Counts = [
      [0, 'weights', 'reads', a],
      [0, 'weights', 'deliveries', a * c],
      [2, 'weights', 'fills', a * c],
      [2, 'weights', 'reads', a * c * d],
    ]
    expect(energy(THREE, 'isca16', counts, 0)).toBe(200 * a + 2 * a * c + a * c * d)
  })

  test('words handed on by a neighbour are deliveries', () => {
    const counts: Counts = [
      [1, 'inputs', 'reads', 1],
      [1, 'inputs', 'deliveries', 1],
      [1, 'inputs', 'hops', c - 1],
      [2, 'inputs', 'fills', c],
    ]
    expect(energy(THREE, 'isca16', counts, 0)).toBe(6 + 2 * c)
  })

  test('partial sums: updates and reads, one hop for each sum sent up, two accesses a MAC', () => {
    const macs = a * b * c * d
    const counts: Counts = [
      [0, 'outputs', 'updates', a],
      [0, 'outputs', 'reads', a - 1],
      [0, 'outputs', 'deliveries', a],
      [1, 'outputs', 'fills', a - 1],
      [1, 'outputs', 'updates', a * b],
      [1, 'outputs', 'reads', a * b - 1],
      [1, 'outputs', 'deliveries', a * b * c],
      [1, 'outputs', 'hops', a * b * (c - 1)],
      [2, 'outputs', 'fills', (a * b - 1) * c],
      [2, 'outputs', 'updates', macs],
      [2, 'outputs', 'reads', macs - c],
    ]
    const ours = energy(THREE, 'isca16', counts, macs)
    expect(ours).toBe(200 * (2 * a - 1) + 6 * (2 * a * b - 1) + 2 * a * b * c + 2 * macs + macs)
    const printed = isca16Formula({ a, b, c, d }, energies).psum + macs
    expect(ours - printed).toBe(6 * (2 * a - 1) + 2 * a * b + 2 * a * b * c)
  })

  test('every network of a deeper hierarchy charges what crosses it', () => {
    const counts: Counts = [
      [0, 'inputs', 'reads', 1],
      [0, 'inputs', 'deliveries', 1],
      [1, 'inputs', 'fills', 1],
      [1, 'inputs', 'reads', 1],
      [1, 'inputs', 'deliveries', 4],
      [2, 'inputs', 'fills', 4],
      [2, 'inputs', 'reads', 4],
      [2, 'inputs', 'deliveries', 12],
      [3, 'inputs', 'fills', 12],
      [3, 'inputs', 'reads', 12],
    ]
    expect(energy(HARDWARE, 'isca16', counts, 0)).toBe(200 + 5 + 3 * 4 + 4 * 4 + 2 * 12 + 12)
  })

  test('what evaluate charges to the networks is what it counts as delivered, and to levels what it counts there', () => {
    const problem = convProblem({ N: 2, M: 8, C: 6, P: 5, Q: 7, R: 3, S: 3, stride: [2, 1] })
    for (const keep of [OPERANDS, ['weights', 'inputs'], ['outputs']] as const) {
      const mapping = {
        levels: [
          {
            name: 'DRAM',
            temporal: [
              ['N', 2],
              ['C', 2],
              ['Q', 7],
            ],
          },
          { name: 'GLB', temporal: [['R', 3]], spatial: { x: [['M', 2]], y: [['P', 2]] } },
          {
            name: 'BUF',
            temporal: [
              ['P', 3],
              ['C', 3],
            ],
            spatial: { x: [['M', 4]], y: [['S', 3]] },
            keep,
          },
          { name: 'RF', temporal: [] },
        ],
      } as const
      const { accesses, energy: spent, network, macs } = evaluate(problem, HARDWARE, mapping, { convention: 'isca16' })
      const { deliveries = {} } = network
      const sum = (level: string): number => OPERANDS.reduce((total, operand) => total + (deliveries[level]?.[operand] ?? NaN), 0)
      // A word that passes BUF by crosses both networks with as many copies as reach the PEs.
      const bypass = OPERANDS.filter((operand) => !keep.some((kept) => kept === operand))
      const through = bypass.reduce((total, operand) => total + (deliveries.GLB?.[operand] ?? NaN), 0)
      expect(spent.network).toBe(3 * sum('GLB') + 2 * (sum('BUF') + through))
      const { weights, inputs, outputs } = accesses.RF ?? {}
      expect(spent.levels.RF).toBe((weights?.reads ?? NaN) + (inputs?.reads ?? NaN) + 2 * (outputs?.updates ?? NaN))
      expect(outputs?.updates).toBe(macs)
    }
  })
})
