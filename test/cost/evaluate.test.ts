/** Counts worked out by hand from the rules, energy and cycles, and the time an evaluation may take. */
import { describe, expect, test } from 'vitest'
import { evaluate } from '../../src/cost/evaluate.ts'
import { MappingError } from '../../src/errors.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import type { Loop, Mapping, MappingLevel } from '../../src/schedule/mapping.ts'
import { DIMENSIONS, OPERANDS, convProblem, gemmProblem, type Operand } from '../../src/schedule/problem.ts'
import { processorTime } from '../processor.ts'

const hardware: Hardware = {
  name: 'test',
  array: { x: 4, y: 4 },
  levels: [
    { name: 'DRAM', energy: 200 },
    { name: 'GLB', words: 100_000, energy: 6 },
    { name: 'RF', words: 1000, energy: 1 },
  ],
  network: { energy: 2 },
  mac: { energy: 1 },
}

type Rows = { temporal?: Loop[]; x?: Loop[]; y?: Loop[]; keep?: Operand[]; forward?: MappingLevel['forward'] }

function mappingOf(dram: Rows, glb: Rows, rf: Rows): Mapping {
  const names = ['DRAM', 'GLB', 'RF']
  return {
    levels: [dram, glb, rf].map(({ temporal = [], x = [], y = [], keep, forward }, index) => ({
      name: names[index] ?? '',
      temporal,
      spatial: { x, y },
      ...(keep === undefined ? {} : { keep }),
      ...(forward === undefined ? {} : { forward }),
    })),
  }
}

describe('rules', () => {
  test('weight stationary: a reduction over Y lanes hops MACs·(Y−1)/Y words, and the buffer is updated once per column', () => {
    const problem = convProblem({ M: 4, C: 4, P: 6, Q: 6, R: 3, S: 3 })
    const mapping = mappingOf(
      {},
      {
        temporal: [
          ['R', 3],
          ['S', 3],
          ['P', 6],
          ['Q', 6],
        ],
        x: [['M', 4]],
        y: [['C', 4]],
      },
      { keep: ['weights'] },
    )
    const { macs, network, accesses } = evaluate(problem, hardware, mapping)
    expect(network.hops).toEqual({ weights: 0, inputs: 0, outputs: (macs * 3) / 4 })
    expect(accesses.RF?.weights).toEqual({ reads: macs, fills: 4 * 4 * 9, updates: 0 })
    expect(accesses.GLB?.outputs).toEqual({ reads: macs / 4 - 144, fills: 0, updates: macs / 4 })
    // One word serves all four filters.
    expect(accesses.GLB?.inputs.reads).toBe(macs / 4)
    expect(accesses.DRAM?.inputs.reads).toBe(8 * 8 * 4)
  })

  test('output stationary, inputs handed along x: rows · ((X−1) + S) words per channel and filter row, the rest hops', () => {
    const problem = convProblem({ M: 2, C: 3, P: 4, Q: 4, R: 3, S: 3 })
    const glb: Rows = {
      temporal: [
        ['M', 2],
        ['C', 3],
        ['R', 3],
        ['S', 3],
      ],
      x: [['Q', 4]],
      y: [['P', 4]],
    }
    const plain = evaluate(problem, hardware, mappingOf({}, glb, { keep: ['outputs'] }))
    const handed = evaluate(problem, hardware, mappingOf({}, { ...glb, forward: { inputs: 'x' } }, { keep: ['outputs'] }))
    expect(plain.accesses.GLB?.inputs.reads).toBe(2 * 3 * 3 * 3 * 16)
    expect(handed.accesses.GLB?.inputs.reads).toBe(2 * 3 * 3 * 4 * (3 + 3))
    // Of the four lanes three are handed a word at the second and third step.
    expect(handed.network.hops.inputs).toBe(2 * 3 * 3 * 4 * (2 * 3))
    expect(plain.network.hops.inputs).toBe(0)
  })

  test('a revisited sum that two lanes reduce fills one of them, or in timeloop mode both', () => {
    const problem = gemmProblem({ i: 2, j: 1, k: 4 })
    const mapping = mappingOf(
      {
        temporal: [
          ['C', 2],
          ['P', 2],
        ],
      },
      { y: [['C', 2]] },
      { keep: ['outputs'] },
    )
    // Both outputs live at GLB only one at a time, so each revisit goes back to DRAM.
    const exact = evaluate(problem, hardware, mapping)
    expect(exact.accesses.RF?.outputs).toEqual({ reads: 8 - 4, fills: 2, updates: 8 })
    expect(exact.accesses.GLB?.outputs).toEqual({ reads: 4 - 2, fills: 2, updates: 4 })
    expect(exact.accesses.DRAM?.outputs).toEqual({ reads: 2, fills: 0, updates: 4 })
    expect(exact.network.hops.outputs).toBe(4)
    expect(evaluate(problem, hardware, mapping, { halo: 'timeloop' }).accesses.RF?.outputs.fills).toBe(4)
  })

  test('a grid without multicast reads once per workgroup and adds split sums in memory', () => {
    const problem = gemmProblem({ i: 4, j: 4, k: 8 })
    const grid: Hardware = {
      ...hardware,
      levels: hardware.levels.map((level, index) =>
        index === 0 ? { ...level, fanout: { x: 1000, y: 1000 }, multicast: false } : level,
      ),
    }
    const mapping = mappingOf(
      {
        x: [
          ['M', 2],
          ['C', 2],
        ],
      },
      {
        temporal: [
          ['P', 4],
          ['C', 4],
        ],
        x: [['M', 2]],
      },
      {},
    )
    const { accesses, network, utilization } = evaluate(problem, grid, mapping)
    expect(accesses.DRAM?.inputs.reads).toBe(2 * 4 * 8)
    expect(accesses.DRAM?.weights.reads).toBe(4 * 8)
    // Two workgroups sum each output: the second update reads what the first wrote.
    expect(accesses.DRAM?.outputs).toEqual({ reads: 16, fills: 0, updates: 32 })
    expect(network.hops.outputs).toBe(0)
    // 128 MACs in 16 steps on the 4 workgroups that the mapping asks for, of 16 lanes each.
    expect(utilization).toBe(128 / (16 * 4 * 16))
  })

  test('exact sets leave out words that a stride skips; zero padding counts, and is told apart', () => {
    const strided = convProblem({ C: 2, P: 4, Q: 4, stride: [2, 2] })
    const all = mappingOf(
      {},
      {
        temporal: [
          ['C', 2],
          ['P', 4],
          ['Q', 4],
        ],
      },
      {},
    )
    expect(evaluate(strided, hardware, all).accesses.DRAM?.inputs.reads).toBe(2 * 16)
    expect(evaluate(strided, hardware, all, { halo: 'timeloop' }).accesses.DRAM?.inputs.reads).toBe(2 * 49)
    const padded = convProblem({ P: 4, Q: 4, R: 3, S: 3, padding: [1, 1, 1, 1] })
    const { accesses, padding } = evaluate(
      padded,
      hardware,
      mappingOf(
        {},
        {
          temporal: [
            ['P', 4],
            ['Q', 4],
            ['R', 3],
            ['S', 3],
          ],
        },
        { keep: [] },
      ),
    )
    expect(accesses.DRAM?.inputs.reads).toBe(36)
    expect(padding).toEqual({ DRAM: 20, GLB: 20 + 144 - 100, RF: 0 })
  })

  test('groups are a loop: nothing is shared between them', () => {
    const problem = convProblem({ groups: 3, M: 2, C: 2, P: 2 })
    const { accesses, macs } = evaluate(
      problem,
      hardware,
      mappingOf(
        { temporal: [['G', 3]] },
        {
          temporal: [
            ['M', 2],
            ['C', 2],
            ['P', 2],
          ],
        },
        {},
      ),
    )
    expect(macs).toBe(24)
    expect([accesses.DRAM?.weights.reads, accesses.DRAM?.inputs.reads, accesses.DRAM?.outputs.updates]).toEqual([12, 12, 12])
  })

  test('ragged tiles: points outside are skipped', () => {
    const problem = convProblem({ M: 5, P: 7 })
    const { accesses, cycles, macs, utilization } = evaluate(
      problem,
      hardware,
      mappingOf({ temporal: [['P', 2]] }, { temporal: [['M', 2]], x: [['P', 4]], y: [['M', 4]] }, { keep: [] }),
    )
    expect([macs, cycles]).toEqual([35, 4])
    expect(utilization).toBe(35 / (4 * 16))
    expect(accesses.GLB?.weights.reads).toBe(2 * 5)
    expect(accesses.GLB?.inputs.reads).toBe(2 * 7)
    expect(accesses.DRAM?.outputs.updates).toBe(35)
  })
})

describe('energy, cycles, refusals', () => {
  const problem = convProblem({ M: 8, C: 6, P: 5, Q: 5, R: 3, S: 3, padding: [1, 1, 1, 1] })
  const mapping = mappingOf(
    {
      temporal: [
        ['M', 2],
        ['P', 2],
      ],
    },
    {
      temporal: [
        ['C', 2],
        ['Q', 5],
      ],
      x: [['P', 3]],
      y: [['R', 3]],
    },
    {
      temporal: [
        ['C', 3],
        ['S', 3],
        ['M', 4],
      ],
    },
  )

  test('energy is prices times counts, and its parts add up', () => {
    const { accesses, energy, network, macs } = evaluate(problem, hardware, mapping)
    for (const { name, energy: price } of hardware.levels) {
      const words = OPERANDS.reduce((sum, operand) => {
        const { reads = 0, fills = 0, updates = 0 } = accesses[name]?.[operand] ?? {}
        return sum + reads + fills + updates
      }, 0)
      expect(energy.levels[name]).toBe(words * price)
    }
    const hops = OPERANDS.reduce((sum, operand) => sum + network.hops[operand], 0)
    expect(hops).toBeGreaterThan(0)
    expect(energy.network).toBe(2 * hops)
    expect(energy.mac).toBe(macs)
    const levels = Object.values(energy.levels).reduce((sum, level) => sum + level, 0)
    expect(energy.total).toBe(levels + energy.mac + energy.network)
    expect(OPERANDS.reduce((sum, operand) => sum + energy.per_operand[operand], energy.mac)).toBe(energy.total)
  })

  test('separate prices for reading and writing', () => {
    const priced = { ...hardware, levels: hardware.levels.map((level) => ({ ...level, readEnergy: 1, writeEnergy: 0 })) }
    const { accesses, energy } = evaluate(problem, priced, mapping)
    const reads = OPERANDS.reduce((sum, operand) => sum + (accesses.GLB?.[operand].reads ?? 0), 0)
    expect(energy.levels.GLB).toBe(reads)
  })

  test('cycles: the steps, or the traffic of the slowest level', () => {
    const { cycles, accesses } = evaluate(problem, hardware, mapping)
    expect(cycles).toBe(2 * 2 * 2 * 5 * 3 * 3 * 4)
    const slow = {
      ...hardware,
      levels: hardware.levels.map((level, index) => (index === 0 ? { ...level, bandwidth: { read: 0.25, write: 8 } } : level)),
    }
    const read = OPERANDS.reduce((sum, operand) => sum + (accesses.DRAM?.[operand].reads ?? 0), 0)
    expect(read / 0.25).toBeGreaterThan(cycles)
    expect(evaluate(problem, slow, mapping).cycles).toBe(Math.ceil(read / 0.25))
  })

  test('time says what the mapping waits for', () => {
    const steps = 2 * 2 * 2 * 5 * 3 * 3 * 4
    expect(evaluate(problem, hardware, mapping).time).toEqual({ compute: steps, levels: {}, bound: 'compute' })
    const slow = {
      ...hardware,
      clock_hz: 1000,
      levels: hardware.levels.map((level, index) => (index === 0 ? { ...level, bandwidth: { read: 0.25, write: 8 } } : level)),
    }
    const { time, cycles } = evaluate(problem, slow, mapping)
    expect(time).toEqual({ compute: steps, levels: { DRAM: cycles }, bound: 'DRAM', seconds: cycles / 1000 })
  })

  test('hops by level: sums are made from the innermost fan-out outwards', () => {
    // Two fan-outs of 2 rows between the buffer and the MACs, 4 sums of one output: 2 hops inside, 1 outside.
    const reduced = convProblem({ C: 4, P: 3 })
    const levels = ['DRAM', 'GLB', 'ARRAY', 'RF'].map((name) => ({ name, energy: 1, fanout: { x: 1, y: 2 } }))
    const deep: Hardware = { ...hardware, levels: levels.map((level, i) => (i === 2 ? { ...level, words: 0 } : level)) }
    const { network } = evaluate(reduced, deep, {
      levels: [
        { name: 'DRAM', temporal: [] },
        { name: 'GLB', temporal: [['P', 3]], spatial: { y: [['C', 2]] } },
        { name: 'ARRAY', temporal: [], spatial: { y: [['C', 2]] }, keep: [] },
        { name: 'RF', temporal: [], keep: [] },
      ],
    })
    expect(network.hops.outputs).toBe(3 * 3)
    expect([network.levels?.GLB?.outputs, network.levels?.ARRAY?.outputs]).toEqual([3, 6])
    expect(network.deliveries?.GLB).toEqual({ weights: 12, inputs: 12, outputs: 12 })
  })

  test('timeloop mode refuses forwarding', () => {
    const forwarding = {
      levels: mapping.levels.map((level, index) => (index === 1 ? { ...level, forward: { inputs: 'x' as const } } : level)),
    }
    expect(() => evaluate(problem, hardware, forwarding, { halo: 'timeloop' })).toThrow(MappingError)
  })

  test.each([
    [
      'a huge picture, tiles that do not divide it',
      { P: 2 ** 31 - 2, R: 3 },
      [
        [['P', 46341]],
        [
          ['P', 46341],
          ['R', 3],
        ],
        [],
      ],
    ],
    ['one loop longer than it', { P: 2 ** 30, R: 3 }, [[['P', 2 ** 30 + 7]], [['R', 3]], []]],
    ['a huge padded picture', { P: 2 ** 30, R: 3, padding: [1, 0, 1, 0] }, [[['P', 2 ** 30]], [['R', 3]], []]],
    [
      'huge dilated tiles',
      { P: 2 ** 30, R: 2 ** 20, dilation: [3, 1] },
      [
        [['P', 3]],
        [
          ['R', 3],
          ['P', 2 ** 29],
        ],
        [['R', 2 ** 19]],
      ],
    ],
    ['huge everything', { N: 2 ** 31, M: 2 ** 31, C: 2 ** 31, P: 2 ** 31, Q: 2 ** 31, R: 2 ** 31, S: 2 ** 31 }, [[], [], []]],
  ] as const)('sizes that nobody has are counted or refused by name within a second: %s', (_, fields, [dram, glb, rf]) => {
    const loops = (list: readonly (readonly [string, number])[]): Loop[] =>
      list.flatMap(([name, bound]) => DIMENSIONS.filter((dimension) => dimension === name).map((found): Loop => [found, bound]))
    const roomy = { ...hardware, levels: hardware.levels.map(({ name, energy }) => ({ name, energy })) }
    const seconds = processorTime()
    try {
      const { macs, accesses } = evaluate(
        convProblem(fields),
        roomy,
        mappingOf({ temporal: loops(dram) }, { temporal: loops(glb) }, { temporal: loops(rf) }),
      )
      expect(accesses.RF?.inputs.reads).toBe(macs)
    } catch (error) {
      expect(error).toBeInstanceOf(MappingError)
    }
    expect(seconds()).toBeLessThan(1)
  })

  test('a VGG-16 layer, its window counts not yet known, in well under 10 ms of processor time', () => {
    const fields = { M: 64, C: 64, P: 224, Q: 224, R: 3, S: 3, padding: [1, 1, 1, 1] } as const
    const vgg = mappingOf(
      {
        temporal: [
          ['M', 4],
          ['P', 15],
          ['Q', 15],
          ['C', 4],
        ],
      },
      {
        temporal: [
          ['C', 16],
          ['P', 4],
          ['Q', 15],
          ['R', 3],
        ],
        x: [['P', 4]],
        y: [['M', 4]],
      },
      {
        temporal: [
          ['M', 4],
          ['S', 3],
        ],
      },
    )
    const times = Array.from({ length: 15 }, () => {
      const seconds = processorTime()
      evaluate(convProblem(fields), hardware, vgg)
      return 1000 * seconds()
    }).toSorted((a, b) => a - b)
    expect(times[7]).toBeLessThan(10)
  })
})
