/**
 * Differences of two mappings: parts add up to the change on random pairs, single steps are told as what was done, reasons hold
 * where they can be recomputed by hand, and sides that cannot be compared are refused by name.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { diffMappings, type DiffOptions, type MappingDiff } from '../../src/cost/diff.ts'
import { differencesOf } from '../../src/cost/differences.ts'
import { evaluate } from '../../src/cost/evaluate.ts'
import { factsOf, impliedCount } from '../../src/cost/reasons.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import { keeps, type Loop, type Mapping, type MappingLevel } from '../../src/schedule/mapping.ts'
import { OPERANDS, convProblem, type Operand, type Problem } from '../../src/schedule/problem.ts'
import { cases, type Case } from './random.ts'

vi.setConfig({ testTimeout: 60_000 })

type Axis = 'temporal' | 'x' | 'y'
const AXES: readonly Axis[] = ['temporal', 'x', 'y']

interface Placed {
  readonly loop: Loop
  readonly level: number
  readonly axis: Axis
}

/** Loops as a list of places, to be moved about and put together again. */
function placesOf({ levels }: Mapping): Placed[] {
  return levels.flatMap((level, index) =>
    AXES.flatMap((axis) =>
      (axis === 'temporal' ? level.temporal : (level.spatial?.[axis] ?? [])).map((loop) => ({ loop, level: index, axis })),
    ),
  )
}

function rebuilt(places: readonly Placed[], { levels }: Mapping, keep: (level: number, operand: Operand) => boolean): Mapping {
  const at = (index: number, axis: Axis): Loop[] =>
    places.filter((place) => place.level === index && place.axis === axis).map(({ loop }) => loop)
  return {
    levels: levels.map(({ name, forward }, index): MappingLevel => ({
      name,
      temporal: at(index, 'temporal'),
      spatial: { x: at(index, 'x'), y: at(index, 'y') },
      ...(index === 0 ? {} : { keep: OPERANDS.filter((operand) => keep(index, operand)) }),
      ...(forward === undefined ? {} : { forward }),
    })),
  }
}

interface Move {
  readonly which: number
  readonly level: number
  readonly axis: number
  readonly toggle: number
}

const moves = fc.array(fc.record({ which: fc.nat(40), level: fc.nat(3), axis: fc.nat(2), toggle: fc.nat(11) }), {
  minLength: 1,
  maxLength: 8,
})

/** Another mapping of the same problem: loops moved to other places (order changes with them), operands kept or not. */
function moved(mapping: Mapping, list: readonly Move[]): Mapping {
  const depth = mapping.levels.length
  const places = placesOf(mapping)
  const toggled = new Set<string>()
  for (const { which, level, axis, toggle } of list) {
    const [taken] = places.length === 0 ? [] : places.splice(which % places.length, 1)
    if (taken !== undefined) places.push({ loop: taken.loop, level: level % depth, axis: AXES[axis] ?? 'temporal' })
    const name = `${1 + (toggle % 3)} ${OPERANDS[Math.floor(toggle / 4)]}`
    if (toggle % 4 === 0) toggled.add(name)
  }
  return rebuilt(places, mapping, (level, operand) => keeps(mapping, level, operand) !== toggled.has(`${level} ${operand}`))
}

const withoutForward = (mapping: Mapping): Mapping => ({ levels: mapping.levels.map(({ forward: _forward, ...level }) => level) })

function words(found: MappingDiff): number {
  return found.rows.reduce((sum, { words: { a } }) => sum + a, 0)
}

/** Every line's parts are its change, exactly; energies to rounding; lines are those of the evaluations. */
function checkSums(problem: Problem, hardware: Hardware, a: Mapping, b: Mapping, options: DiffOptions = {}): MappingDiff {
  const found = diffMappings(problem, hardware, a, b, options)
  const [before, after] = [
    evaluate(problem, hardware, a, options.a),
    evaluate(problem, options.hardwareB ?? hardware, b, options.b),
  ]
  expect(found.energy).toEqual({ a: before.energy.total, b: after.energy.total, change: after.energy.total - before.energy.total })
  for (const { words: line, energy, parts } of found.rows) {
    expect(parts.reduce((sum, part) => sum + part.words, 0)).toBe(line.change)
    expect(parts.reduce((sum, part) => sum + part.energy, 0)).toBeCloseTo(energy.change, 6)
    for (const part of parts) expect(found.differences[part.difference]).toBeDefined()
  }
  expect(found.rows.reduce((sum, { energy }) => sum + energy.change, 0)).toBeCloseTo(found.energy.change, 5)
  expect(found.differences.reduce((sum, { energy }) => sum + energy, 0)).toBeCloseTo(found.energy.change, 5)
  // Each line of the evaluations that differs is there, and no other.
  let different = 0
  for (const { name } of hardware.levels) {
    for (const operand of OPERANDS) {
      for (const kind of ['reads', 'fills', 'updates'] as const) {
        const [x, y] = [before, after].map(({ accesses }) => accesses[name]?.[operand][kind] ?? 0)
        const row = found.rows.find((one) => one.level === name && one.operand === operand && one.kind === kind)
        if (x !== y) {
          different++
          expect(row?.words).toMatchObject({ a: x, b: y })
        } else expect(row?.words.change ?? 0).toBe(0)
      }
    }
  }
  expect(found.rows.filter(({ kind }) => ['reads', 'fills', 'updates'].includes(kind)).length).toBeGreaterThanOrEqual(different)
  return found
}

describe('parts of a difference', () => {
  it('add up to the change on random pairs', () => {
    let rows = 0
    let reasoned = 0
    fc.assert(
      fc.property(cases, moves, ({ problem, hardware, mapping }: Case, list) => {
        const a = withoutForward(mapping)
        const found = checkSums(problem, hardware, a, moved(a, list))
        rows += found.rows.length
        reasoned += found.rows.flatMap(({ parts }) => parts).filter(({ why }) => why !== '').length
      }),
      { numRuns: 220, seed: 7 },
    )
    expect(rows).toBeGreaterThan(400)
    expect(reasoned).toBeGreaterThan(400)
  })

  it('add up where forwarding, the hardware and the convention change too', () => {
    const other = (hardware: Hardware): Hardware => ({
      ...hardware,
      name: 'other',
      network: { energy: 3 },
      levels: hardware.levels.map((level, index) => ({ ...level, energy: level.energy + index, multicast: index % 2 === 0 })),
    })
    let kinds = new Set<string>()
    fc.assert(
      fc.property(cases, moves, fc.boolean(), ({ problem, hardware, mapping }: Case, list, isTimeloop) => {
        const b = withoutForward(moved(mapping, list))
        const options: DiffOptions = { hardwareB: other(hardware), ...(isTimeloop ? { b: { halo: 'timeloop' } } : {}) }
        const found = checkSums(problem, hardware, mapping, b, options)
        kinds = new Set([...kinds, ...found.differences.map(({ kind }) => kind)])
      }),
      { numRuns: 70, seed: 11 },
    )
    expect([...kinds].toSorted()).toEqual(['convention', 'forward', 'hardware', 'keep', 'order', 'tiling'])
  })

  it('are all of the change where there is one difference', () => {
    let compared = 0
    fc.assert(
      fc.property(cases, moves, ({ problem, hardware, mapping }: Case, list) => {
        const a = withoutForward(mapping)
        const b = moved(a, list)
        const steps = differencesOf({ hardware, mapping: a, options: {} }, { hardware, mapping: b, options: {} })
        steps.list.forEach((difference, index) => {
          const one = steps.hybrid(steps.list.map((_, other) => other === index)).mapping
          const found = diffMappings(problem, hardware, a, one)
          expect(found.differences).toMatchObject([{ kind: difference.kind }])
          for (const { words: line, parts } of found.rows) {
            expect(parts).toHaveLength(1)
            expect(parts[0]?.alone).toEqual({ atA: line.change, atB: line.change })
            compared++
          }
        })
      }),
      { numRuns: 100, seed: 3 },
    )
    expect(compared).toBeGreaterThan(200)
  })
})

describe('facts', () => {
  it('imply the counts themselves where tiles divide the problem and windows do not overlap', () => {
    const bounds = fc.constantFrom(1, 2, 4, 6)
    const problems = fc.record({ N: bounds, M: bounds, C: bounds, P: bounds, Q: bounds }).map((fields) => convProblem(fields))
    const slots = fc.array(fc.record({ level: fc.nat(2), axis: fc.nat(2), order: fc.nat(100) }), { minLength: 15, maxLength: 15 })
    const keep = fc.array(fc.boolean(), { minLength: 9, maxLength: 9 })
    let compared = 0
    fc.assert(
      fc.property(problems, slots, keep, fc.boolean(), (problem, places, kept, multicast) => {
        const primes = (['N', 'M', 'C', 'P', 'Q'] as const).flatMap((name): Loop[] => {
          const bound = problem[name]
          return bound === 6
            ? [
                [name, 2],
                [name, 3],
              ]
            : bound === 4
              ? [
                  [name, 2],
                  [name, 2],
                ]
              : bound === 2
                ? [[name, 2]]
                : []
        })
        const placed = primes
          .map((loop, index) => ({ loop, ...(places[index] ?? { level: 0, axis: 0, order: 0 }) }))
          .toSorted((one, other) => one.order - other.order)
          .map(({ loop, level, axis }): Placed => ({ loop, level, axis: AXES[axis] ?? 'temporal' }))
        const names = ['L0', 'L1', 'L2']
        const shell: Mapping = { levels: names.map((name) => ({ name, temporal: [] })) }
        const mapping = rebuilt(placed, shell, (level, operand) => kept[level * 3 + OPERANDS.indexOf(operand)] ?? true)
        const hardware: Hardware = {
          name: 'three',
          array: { x: 1, y: 1 },
          levels: names.map((name, index) => ({
            name,
            energy: 1,
            fanout: { x: 4096, y: 4096 },
            multicast: multicast || index !== 1,
          })),
          network: { energy: 1 },
          mac: { energy: 1 },
        }
        const { accesses } = evaluate(problem, hardware, mapping)
        const side = { hardware, mapping, options: {} }
        names.forEach((name, level) => {
          for (const operand of OPERANDS) {
            for (const kind of ['reads', 'fills', 'updates'] as const) {
              const facts = factsOf(problem, side, level, operand, kind)
              expect(impliedCount(problem, operand, kind, facts), `${name} ${operand} ${kind}`).toBe(
                accesses[name]?.[operand][kind],
              )
              compared++
            }
          }
        })
      }),
      { numRuns: 300, seed: 5 },
    )
    expect(compared).toBe(300 * 27)
  })
})

const eyeriss = hardwareNamed('eyeriss')
const problem = convProblem({ M: 16, C: 4, P: 13, Q: 13, R: 3, S: 3 })

/** Row stationary in small: filter rows over y, output rows over x. */
function rowStationary({ spatialM = 1, inner = 1 } = {}): Mapping {
  return {
    levels: [
      { name: 'DRAM', temporal: [['M', 16 / spatialM]] },
      {
        name: 'GLB',
        temporal: [
          ['C', 4],
          ['Q', 13 / inner],
        ],
        spatial: {
          x: [['P', 13]],
          y: [
            ['R', 3],
            ['M', spatialM],
          ],
        },
        keep: ['inputs', 'outputs'],
      },
      {
        name: 'RF',
        temporal: [
          ['Q', inner],
          ['S', 3],
        ],
      },
    ],
  }
}

describe('reasons', () => {
  it('say that fewer children share a read', () => {
    const found = checkSums(problem, eyeriss, rowStationary({ spatialM: 4 }), rowStationary({ spatialM: 1 }))
    expect(found.differences.map(({ label }) => label)).toEqual([
      'M 4 moves from y below GLB to DRAM (DRAM 4 → 16, y below GLB 4 → 1)',
    ])
    const row = found.rows.find(({ level, operand, kind }) => level === 'GLB' && operand === 'inputs' && kind === 'reads')
    expect(row?.summary).toContain('GLB reads of inputs 4×')
    expect(row?.parts[0]?.why).toContain('one read serves 1 instead of 4 (M 4 over y below GLB)')
  })

  it('say which level no longer keeps an operand', () => {
    const kept = rowStationary()
    const dropped: Mapping = {
      levels: kept.levels.map((level) => (level.name === 'RF' ? { ...level, keep: ['weights', 'outputs'] } : level)),
    }
    const found = checkSums(problem, eyeriss, kept, dropped)
    expect(found.differences.map(({ label }) => label)).toEqual(['RF no longer keeps inputs'])
    const why = (kind: string, level: string) =>
      found.rows.find((row) => row.operand === 'inputs' && row.kind === kind && row.level === level)?.parts[0]?.why
    expect(why('reads', 'GLB')).toContain('GLB serves the MACs instead of RF')
    expect(why('fills', 'RF')).toBe('RF holds no inputs any more')
  })

  it('say that a loop’s place in the order repeats words', () => {
    const nest = (order: Loop[]): Mapping => ({
      levels: [
        { name: 'DRAM', temporal: order },
        { name: 'GLB', temporal: [['M', 2]], keep: ['inputs'] },
        { name: 'RF', temporal: [] },
      ],
    })
    const small = convProblem({ M: 8, C: 6 })
    const found = checkSums(
      small,
      eyeriss,
      nest([
        ['C', 6],
        ['M', 4],
      ]),
      nest([
        ['M', 4],
        ['C', 6],
      ]),
    )
    expect(found.differences.map(({ label }) => label)).toEqual(['order of loops, outermost first: DRAM C M → M C'])
    const row = found.rows.find(({ level, operand, kind }) => level === 'DRAM' && operand === 'inputs' && kind === 'reads')
    expect(row?.words).toMatchObject({ a: 6, b: 24 })
    expect(row?.summary).toBe(
      'DRAM reads of inputs 4×: order of loops, outermost first: DRAM C M → M C: each word comes 4 times instead of once (M 4 at DRAM repeats it)',
    )
  })

  it('put overlaps of windows down to the halo', () => {
    const mapping: Mapping = {
      levels: [
        {
          name: 'DRAM',
          temporal: [
            ['P', 4],
            ['M', 2],
          ],
        },
        {
          name: 'GLB',
          temporal: [
            ['P', 2],
            ['R', 3],
          ],
        },
        { name: 'RF', temporal: [] },
      ],
    }
    const small = convProblem({ M: 2, P: 8, R: 3 })
    const found = checkSums(small, eyeriss, mapping, mapping, { b: { halo: 'timeloop' } })
    expect(found.differences).toMatchObject([{ kind: 'convention', label: 'counting: halo exact → timeloop' }])
    expect(found.rows.length).toBeGreaterThan(0)
    expect(words(found)).toBeGreaterThan(0)
    expect(found.rows[0]?.parts[0]?.why).toBe(
      'Timeloop credits an overlap only where the sliding loop is the innermost of its level',
    )
  })

  it('put energies down to prices where the counts are the same', () => {
    const found = checkSums(problem, eyeriss, rowStationary(), rowStationary(), { b: { convention: 'isca16' } })
    expect(found.rows.length).toBeGreaterThan(5)
    expect(found.rows.some(({ kind }) => kind === 'deliveries')).toBe(true)
    for (const { words: line, parts } of found.rows) {
      expect(line.change).toBe(0)
      expect(parts.map(({ why }) => why)).toEqual(['as many words, charged otherwise'])
    }
    const dearer = { ...eyeriss, levels: eyeriss.levels.map((level, index) => (index === 1 ? { ...level, energy: 12 } : level)) }
    const priced = checkSums(problem, eyeriss, rowStationary(), rowStationary(), { hardwareB: dearer })
    expect(priced.differences).toMatchObject([{ kind: 'hardware', level: 'GLB', label: `GLB of ${eyeriss.name}: energy 6 → 12` }])
    expect(priced.rows.every(({ level, energy }) => level === 'GLB' && energy.b === 2 * energy.a)).toBe(true)
    expect(priced.rows[0]?.parts[0]?.why).toBe('a word costs another energy')
  })

  it('find nothing between a mapping and itself', () => {
    const found = diffMappings(problem, eyeriss, rowStationary(), rowStationary())
    expect(found).toMatchObject({ differences: [], rows: [], energy: { change: 0 }, cycles: { change: 0 } })
    expect(found.equal).toBe(3 * 3 * 5 + 1)
  })
})

describe('refusals', () => {
  it('name the levels that differ, and an illegal side', () => {
    const hardware = { ...eyeriss, levels: eyeriss.levels.map((level, index) => (index === 1 ? { ...level, name: 'L2' } : level)) }
    expect(() => diffMappings(problem, eyeriss, rowStationary(), rowStationary(), { hardwareB: hardware })).toThrow(
      /The levels differ: DRAM, GLB, RF of .*, DRAM, L2, RF of/,
    )
    const tiny = { ...eyeriss, levels: eyeriss.levels.map((level, index) => (index === 1 ? { ...level, words: 10 } : level)) }
    expect(() => diffMappings(problem, tiny, rowStationary(), rowStationary())).toThrow(/do not fit GLB/)
  })
})
