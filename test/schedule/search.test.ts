/** The search itself: small spaces whole and equal to brute force, large ones the same for a seed, always legal, always within the constraint. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { evaluate } from '../../src/cost/evaluate.ts'
import type { Evaluation } from '../../src/cost/evaluation.ts'
import { MappingError, OptionError } from '../../src/errors.ts'
import {
  DATAFLOW_NAMES,
  DATAFLOWS,
  UNCONSTRAINED,
  dataflowNamed,
  parseDataflow,
  type Dataflow,
} from '../../src/schedule/dataflow.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import { mapProblem, searchSteps, type MapOptions, type Objective } from '../../src/schedule/mapper.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import { convProblem, type Problem } from '../../src/schedule/problem.ts'
import { departures } from '../../src/schedule/search/departures.ts'
import { Space } from '../../src/schedule/search/space.ts'
import { everything } from './every-mapping.ts'
import { generator, randomProblem } from './random-mapping.ts'

const eyeriss = hardwareNamed('eyeriss')

const tiny: Hardware = {
  name: 'tiny',
  array: { x: 2, y: 1 },
  levels: [
    { name: 'DRAM', energy: 200 },
    { name: 'GLB', words: 9, energy: 6 },
    { name: 'RF', words: 5, energy: 1 },
  ],
  network: { energy: 2 },
  mac: { energy: 1 },
}
const two: Hardware = {
  ...tiny,
  name: 'two',
  array: { x: 2, y: 2 },
  levels: [tiny.levels[0] ?? { name: 'DRAM', energy: 200 }, { name: 'RF', words: 6, energy: 1 }],
}

/** Free in all that brute force enumerates; nothing is forwarded. */
const free: Dataflow = { ...UNCONSTRAINED, name: 'free', forward: [] }
/** A constraint with an order, for the same. */
const ordered: Dataflow = {
  ...free,
  name: 'ordered',
  spatial: { x: ['M', 'P'], y: ['C'] },
  keep: { buffer: ['inputs'], registers: ['outputs'] },
  optional: { buffer: ['weights', 'outputs'] },
  order: [
    ['C', 'R'],
    ['M', 'P'],
  ],
  registers: ['R'],
}

const objectives: Readonly<Record<Objective, (evaluation: Evaluation) => number>> = {
  energy: ({ energy }) => energy.total,
  edp: ({ energy, cycles }) => energy.total * cycles,
  latency: ({ cycles }) => cycles,
}

const small: readonly (readonly [string, Problem, Hardware, Dataflow])[] = [
  ['a product, two levels', convProblem({ M: 3, C: 2, P: 2 }), two, free],
  ['ragged, three levels', convProblem({ M: 5, C: 2 }), tiny, free],
  ['a window', convProblem({ P: 4, R: 2 }), tiny, free],
  ['a window with stride and padding', convProblem({ P: 3, R: 3, stride: [2, 1], padding: [1, 0, 1, 0] }), tiny, free],
  ['a window, constrained', convProblem({ M: 2, C: 3, P: 3, R: 2 }), { ...tiny, array: { x: 2, y: 2 } }, ordered],
]

describe('small spaces', () => {
  test.each(small)('%s: all seen, and equal to brute force', { timeout: 60_000 }, (_, problem, hardware, dataflow) => {
    const best: Record<Objective, number> = { energy: Infinity, edp: Infinity, latency: Infinity }
    let legal = 0
    for (const mapping of everything(problem, hardware, dataflow, false)) {
      let evaluation: Evaluation
      try {
        evaluation = evaluate(problem, hardware, mapping)
      } catch (error) {
        if (error instanceof MappingError) continue
        throw error
      }
      legal++
      for (const name of ['energy', 'edp', 'latency'] as const) best[name] = Math.min(best[name], objectives[name](evaluation))
    }
    expect(legal).toBeGreaterThan(100)
    for (const objective of ['energy', 'edp', 'latency'] as const) {
      const { evaluation, searched } = mapProblem(problem, { hardware, dataflow, objective, budget: 1e6 })
      expect(searched.exhaustive).toBe(true)
      expect(searched.seen).toBeLessThanOrEqual(legal)
      expect(objectives[objective](evaluation), objective).toBe(best[objective])
    }
  })

  test.each(small)('%s: the size of the space is what brute force counts', (_, problem, hardware, dataflow) => {
    let count = 0
    for (const mapping of everything(problem, hardware, dataflow, true, true)) count += mapping.levels.length > 0 ? 1 : 0
    expect(count).toBeGreaterThan(100)
    expect(new Space(problem, hardware, dataflow).total()).toBe(count)
    expect(mapProblem(problem, { hardware, dataflow, budget: 1e6 }).searched.total).toBe(count)
  })

  test('a problem of one point has one mapping under each dataflow', () => {
    for (const dataflow of DATAFLOW_NAMES) {
      const { mapping, searched } = mapProblem(convProblem({}), { hardware: eyeriss, dataflow })
      expect(searched.exhaustive).toBe(true)
      expect(mapping.levels.flatMap(({ temporal }) => temporal)).toEqual([])
    }
  })
})

describe('large spaces', () => {
  const conv = convProblem({ M: 96, C: 48, P: 27, Q: 27, R: 5, S: 5, padding: [2, 2, 2, 2] })
  const found = (options: Partial<MapOptions>) => mapProblem(conv, { hardware: eyeriss, budget: 600, ...options })
  const timeless = (result: ReturnType<typeof mapProblem>) => ({ ...result, searched: { ...result.searched, seconds: 0 } })

  test('the same for a seed, whatever ran before; the budget is what is evaluated', () => {
    const first = found({ seed: 7 })
    const other = found({ seed: 8 })
    expect(timeless(found({ seed: 7 }))).toEqual(timeless(first))
    expect(other.mapping).not.toEqual(first.mapping)
    expect(first.searched.exhaustive).toBe(false)
    expect(first.searched.seen).toBeGreaterThan(500)
    expect(first.searched.seen).toBeLessThanOrEqual(600)
    expect(first.searched.total).toBeGreaterThan(1e12)
    expect(first.searched.seconds).toBeGreaterThan(0)
  })

  test('more budget finds nothing worse from the same start, and none of the dataflows beats a search that began from them', () => {
    const each = DATAFLOW_NAMES.map((dataflow) => found({ dataflow, budget: 200 }))
    const best = Math.min(...each.map(({ evaluation }) => evaluation.energy.total))
    const from = each.map(({ mapping }) => mapping)
    for (const budget of [20, 400]) expect(found({ from, budget }).evaluation.energy.total).toBeLessThanOrEqual(best)
  })

  test('each objective finds the least of its own', () => {
    const results = (['energy', 'edp', 'latency'] as const).map((objective) => found({ objective, budget: 8000 }))
    const [energy, edp, latency] = results.map(({ evaluation }) => evaluation)
    expect(energy?.energy.total).toBeLessThanOrEqual(latency?.energy.total ?? 0)
    expect(latency?.cycles).toBeLessThanOrEqual(energy?.cycles ?? 0)
    expect((edp?.energy.total ?? Infinity) * (edp?.cycles ?? Infinity)).toBeLessThanOrEqual(
      (latency?.energy.total ?? 0) * (latency?.cycles ?? 0),
    )
  })

  test('stops when it is told to, with the best so far; progress says how far it is', () => {
    const stop = new AbortController()
    const best: number[] = []
    const { searched, evaluation } = found({
      budget: 1e7,
      signal: stop.signal,
      onProgress: (progress) => {
        best.push(progress.best)
        expect(progress.seen).toBeLessThanOrEqual(progress.budget)
        if (progress.seen > 1000) stop.abort()
      },
    })
    expect(searched.stopped).toBe(true)
    expect(searched.seen).toBeLessThan(10_000)
    expect(best.toSorted((a, b) => b - a)).toEqual(best)
    expect(evaluation.energy.total).toBe(best.at(-1))
  })

  test('memory does not grow with the budget', { timeout: 60_000 }, () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const search = searchSteps(conv, { hardware: eyeriss, dataflow: 'rs', budget: 1e9 })
    const heapAfter = (evaluations: number): number => {
      for (let step = search.next(); step.done !== true && step.value.seen < evaluations; step = search.next());
      collect()
      return process.memoryUsage().heapUsed
    }
    const early = heapAfter(4000)
    const late = heapAfter(40_000)
    console.log(`heap after 4,000 mappings ${(early / 2 ** 20).toFixed(1)} MiB, after 40,000 ${(late / 2 ** 20).toFixed(1)} MiB`)
    expect(late - early).toBeLessThan(4 * 2 ** 20)
  })

  test('what is no budget, seed, objective or dataflow is refused by name', () => {
    expect(() => found({ budget: 0 })).toThrow(OptionError)
    expect(() => found({ budget: 1.5 })).toThrow(OptionError)
    expect(() => found({ seed: NaN })).toThrow(/NaN/)
    expect(() => found({ objective: 'speed' as Objective })).toThrow(/speed.*energy, edp or latency/)
    expect(() => found({ dataflow: 'zigzag' })).toThrow(/zigzag/)
  })

  test('where nothing fits, it says so', () => {
    const none = { ...tiny, levels: tiny.levels.map((level) => (level.name === 'RF' ? { ...level, words: 2 } : level)) }
    expect(() => mapProblem(conv, { hardware: none, dataflow: 'rs', budget: 100 })).toThrow(MappingError)
    expect(() => mapProblem(conv, { hardware: none, dataflow: 'rs', budget: 100 })).toThrow(/under rs fits tiny.*larger/)
  })
})

/** Hardware of one to five levels: several fan-outs, a level without storage, levels that hold some operands. */
const kinds: readonly Hardware[] = [
  { ...tiny, name: 'one', levels: tiny.levels.slice(0, 1), array: { x: 1, y: 1 } },
  two,
  tiny,
  {
    ...tiny,
    name: 'four',
    levels: [
      { name: 'DRAM', energy: 200 },
      { name: 'GLB', words: 64, energy: 6, fanout: { x: 2, y: 2 }, holds: ['inputs', 'outputs'] },
      { name: 'local', words: 24, energy: 2, fanout: { x: 3, y: 1 }, double_buffered: true },
      { name: 'RF', words: 3, energy: 1 },
    ],
  },
  {
    ...tiny,
    name: 'five',
    levels: [
      { name: 'DRAM', energy: 200, fanout: { x: 2, y: 1 } },
      { name: 'GLB', words: 96, energy: 6, fanout: { x: 1, y: 4 } },
      { name: 'row', words: 0, energy: 0, fanout: { x: 3, y: 1 } },
      { name: 'weights', words: 8, energy: 1, holds: ['weights'] },
      { name: 'sums', words: 2, energy: 1, holds: ['outputs'] },
    ],
  },
]

describe.each(kinds)('on $name', (hardware) => {
  test('any problem, any dataflow: legal, within the constraint, whole or within the budget', { timeout: 60_000 }, () => {
    let mapped = 0
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.constantFrom(...DATAFLOW_NAMES, 'none'), (seed, name) => {
        const { problem } = randomProblem(generator(seed))
        const dataflow = name === 'none' ? UNCONSTRAINED : DATAFLOWS[name]
        let result: ReturnType<typeof mapProblem>
        try {
          result = mapProblem(problem, { hardware, dataflow, seed, budget: 60 })
        } catch (error) {
          if (error instanceof MappingError) return
          throw error
        }
        const { mapping, evaluation, searched } = result
        mapped++
        expect(evaluate(problem, hardware, mapping)).toEqual(evaluation)
        expect(departures(problem, hardware, mapping, dataflow)).toEqual([])
        expect(searched.seen).toBeGreaterThan(0)
        expect(searched.seen).toBeLessThanOrEqual(60)
      }),
      { numRuns: 40, seed: 1 },
    )
    console.log(`${hardware.name}: ${mapped} of 40 problems have a mapping under their dataflow`)
    expect(mapped).toBeGreaterThan(10)
  })

  test('without a constraint there is always a mapping', () => {
    for (let seed = 0; seed < 8; seed++) {
      const { problem } = randomProblem(generator(seed))
      expect(mapProblem(problem, { hardware, seed, budget: 40 }).searched.seen).toBeGreaterThan(0)
    }
  })
})

test('a hierarchy of twelve levels has a size and a mapping', () => {
  const deep: Hardware = {
    ...tiny,
    levels: Array.from({ length: 12 }, (_, level) => ({
      name: `L${level}`,
      energy: 12 - level,
      ...(level > 0 ? { words: 4 ** (14 - level) } : {}),
    })),
  }
  const { searched } = mapProblem(convProblem({ N: 16, M: 128, C: 48, P: 27, Q: 27, R: 5, S: 5 }), { hardware: deep, budget: 300 })
  expect(searched.total).toBeGreaterThan(1e30)
  expect(Number.isFinite(searched.total)).toBe(true)
  expect(searched.seen).toBeGreaterThan(100)
})

describe("dataflows of one's own", () => {
  const problem = convProblem({ M: 12, C: 8, P: 6, Q: 6, R: 3, S: 3 })
  const own = parseDataflow({
    name: 'own',
    title: 'rows of outputs, filters whole in a PE',
    spatial: { x: ['Q'], y: ['M'] },
    keep: { buffer: ['inputs'], registers: ['weights', 'outputs'] },
    optional: { buffer: ['outputs'] },
    innermost: ['C', 'P'],
    registers: ['R', 'S'],
    whole: ['R', 'S'],
    levels: { GLB: { temporal: ['C', 'P'], order: [['P'], ['C']] }, DRAM: { temporal: ['M', 'Q', 'P', 'C', 'N', 'G'] } },
  })

  test('each field is kept to', () => {
    for (const seed of [1, 2, 3]) {
      const { mapping } = mapProblem(problem, { hardware: eyeriss, dataflow: own, seed, budget: 400 })
      const [dram, buffer, registers] = mapping.levels
      expect(departures(problem, eyeriss, mapping, own)).toEqual([])
      expect(registers?.temporal.toSorted()).toEqual([
        ['R', 3],
        ['S', 3],
      ])
      expect(registers?.keep).toEqual(['weights', 'outputs'])
      expect(buffer?.keep).toContain('inputs')
      expect(buffer?.keep).not.toContain('weights')
      expect(buffer?.temporal.map(([name]) => name)).toEqual(
        ['P', 'C'].filter((name) => buffer?.temporal.some(([own2]) => own2 === name)),
      )
      expect(dram?.temporal.every(([name]) => name !== 'R' && name !== 'S')).toBe(true)
    }
  })

  test('departures name every one', () => {
    const { mapping } = mapProblem(problem, { hardware: eyeriss, dataflow: 'ws', budget: 200 })
    const [dram, buffer, registers] = mapping.levels
    if (dram === undefined || buffer === undefined || registers === undefined) throw new Error('three levels')
    const wrong: Mapping = {
      levels: [
        dram,
        {
          ...buffer,
          temporal: [
            ['P', 2],
            ['C', 2],
            ['N', 1],
          ],
          spatial: { x: [['Q', 15]], y: [['C', 2]] },
          forward: { weights: 'y' },
        },
        { ...registers, temporal: [['S', 3]], keep: ['inputs'] },
      ],
    }
    expect(departures(problem, eyeriss, wrong, dataflowNamed('ws'))).toEqual([
      'GLB spreads Q along x',
      'GLB takes 15 along x, which has 14',
      'GLB runs C under P',
      'GLB forwards weights along y',
      'RF loops over S',
      'RF does not keep weights',
      'RF keeps inputs',
    ])
  })

  test('what is none is refused with every fault', () => {
    expect(() => parseDataflow({ name: '9', levels: { GLB: { keep: ['sums'] } }, order: 'C' })).toThrow(
      /name.*title.*order.*levels\.GLB\.keep/,
    )
  })
})

describe('what the mapper is given', () => {
  test('an option that there is not is refused by name', () => {
    const misspelt = { hardware: tiny, objektive: 'edp' }
    expect(() => mapProblem(convProblem({ M: 2 }), misspelt)).toThrow(/no option "objektive".*hardware, dataflow, objective/s)
  })

  test('a problem that leaves fields out is completed, one that is none is refused', () => {
    const { mapping, evaluation } = mapProblem({ M: 4, C: 2 }, { hardware: tiny })
    const whole = mapProblem(convProblem({ M: 4, C: 2 }), { hardware: tiny })
    expect([mapping, evaluation]).toEqual([whole.mapping, whole.evaluation])
    expect(evaluate({ M: 4, C: 2 }, tiny, mapping)).toEqual(evaluation)
    expect(() => mapProblem({ M: 0 }, { hardware: tiny })).toThrow('Loop bound M is 0')
    expect(() => evaluate({ M: 0 }, tiny, mapping)).toThrow('Loop bound M is 0')
  })
})
