/** Random small problems with legal mappings on random hierarchies, ragged more often than not. */
import fc from 'fast-check'
import type { Hardware } from '../../src/schedule/hardware.ts'
import type { Loop, Mapping, MappingLevel } from '../../src/schedule/mapping.ts'
import {
  DIMENSIONS,
  OPERANDS,
  convProblem,
  extentOf,
  type Dimension,
  type Operand,
  type Problem,
} from '../../src/schedule/problem.ts'

export interface Case {
  readonly problem: Problem
  readonly hardware: Hardware
  readonly mapping: Mapping
}

const dimension = (most: number): fc.Arbitrary<number> => fc.oneof(fc.constant(1), fc.integer({ min: 1, max: most }))

type Padding = [number, number, number, number]
const pad = fc.integer({ min: 0, max: 2 })

const problems: fc.Arbitrary<Problem> = fc
  .record({
    groups: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constant(2) }),
    N: dimension(3),
    M: dimension(4),
    C: dimension(4),
    P: dimension(7),
    Q: dimension(5),
    R: dimension(4),
    S: dimension(3),
    stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 })),
    dilation: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 })),
    padding: fc.oneof(fc.constant<Padding>([0, 0, 0, 0]), fc.tuple(pad, pad, pad, pad)),
  })
  .map((fields) => convProblem(fields))
  .filter((problem) => DIMENSIONS.reduce((product, name) => product * extentOf(problem, name), 1) <= 1500)

/** Where a loop may stand: a level's temporal loops, or its x or y. */
type Slot = readonly [level: number, axis: 'temporal' | 'x' | 'y']

/** Mappings of `least` to `depth` levels; `always` forwards an operand along an axis that has loops, where there is one. */
const casesOf = (depth: number, always: boolean, least = 1): fc.Arbitrary<Case> =>
  problems.chain((problem) => mappingsOf(problem, depth, always, least))

function mappingsOf(problem: Problem, depth: number, always: boolean, least: number): fc.Arbitrary<Case> {
  return fc
    .record({
      depth: fc.integer({ min: least, max: depth }),
      splits: fc.array(
        fc.record({ dimension: fc.nat(), bound: fc.integer({ min: 2, max: 4 }), slot: fc.nat(), order: fc.nat(1000) }),
        { maxLength: 9 },
      ),
      keep: fc.array(fc.subarray([...OPERANDS]), { minLength: 6, maxLength: 6 }),
      multicast: fc.array(fc.oneof(fc.constant(true), fc.boolean()), { minLength: 6, maxLength: 6 }),
      forward: fc.option(
        fc.record({
          level: fc.nat(depth - 1),
          operand: fc.constantFrom<Operand>(...OPERANDS),
          axis: fc.constantFrom<'x' | 'y'>('x', 'y'),
        }),
      ),
      rest: fc.array(fc.record({ slot: fc.nat(), order: fc.nat(1000) }), { minLength: 8, maxLength: 8 }),
    })
    .map((choice) => build(problem, choice, always))
}

export const cases: fc.Arbitrary<Case> = casesOf(4, false)

/** Four to six levels, some without storage, some that hold only some operands; what a level keeps may go unsaid. */
export const deepCases: fc.Arbitrary<Case> = fc
  .tuple(
    casesOf(6, false, 4),
    fc.array(
      fc.record({
        isBare: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
        holds: fc.subarray([...OPERANDS]),
        isSaid: fc.boolean(),
      }),
      { minLength: 6, maxLength: 6 },
    ),
  )
  .map(([{ problem, hardware, mapping }, choices]) => {
    const bare = (index: number): boolean => index > 0 && choices[index]?.isBare === true
    const holds = (index: number): readonly Operand[] => (index === 0 ? OPERANDS : (choices[index]?.holds ?? OPERANDS))
    return {
      problem,
      hardware: {
        ...hardware,
        levels: hardware.levels.map((level, index) => ({ ...level, ...(bare(index) ? { words: 0 } : { holds: holds(index) }) })),
      },
      mapping: {
        levels: mapping.levels.map(({ keep, ...level }, index): MappingLevel => {
          if (bare(index)) return { ...level, keep: [] }
          if (keep === undefined || choices[index]?.isSaid !== true) return level
          return { ...level, keep: keep.filter((operand) => holds(index).includes(operand)) }
        }),
      },
    }
  })

/** Many mappings of one problem on one hardware of three levels. */
export const families: fc.Arbitrary<{
  readonly problem: Problem
  readonly hardware: Hardware
  readonly mappings: readonly Mapping[]
}> = problems.chain((problem) =>
  fc
    .array(mappingsOf(problem, 3, false, 3), { minLength: 20, maxLength: 20 })
    .map((made) => ({ problem, hardware: made[0]?.hardware ?? fail(), mappings: made.map(({ mapping }) => mapping) })),
)

function fail(): never {
  throw new Error('No mapping was made')
}

/** Forwarding networks: few levels, so that an operand is forwarded to registers and straight to the MACs alike. */
export const forwardingCases: fc.Arbitrary<Case> = casesOf(2, true)

interface Choice {
  readonly depth: number
  readonly splits: readonly { dimension: number; bound: number; slot: number; order: number }[]
  readonly keep: readonly Operand[][]
  readonly multicast: readonly boolean[]
  readonly forward: { level: number; operand: Operand; axis: 'x' | 'y' } | null
  readonly rest: readonly { slot: number; order: number }[]
}

function build(problem: Problem, { depth, splits, keep, multicast, forward, rest }: Choice, always: boolean): Case {
  const slots: Slot[] = Array.from({ length: depth }, (_, level): Slot[] => [
    [level, 'temporal'],
    [level, 'temporal'],
    [level, 'x'],
    [level, 'y'],
  ]).flat()
  const live = DIMENSIONS.filter((name) => extentOf(problem, name) > 1)
  const product = new Map<Dimension, number>()
  const placed: { loop: Loop; slot: Slot; order: number }[] = []
  const place = (name: Dimension, bound: number, slot: number, order: number): void => {
    placed.push({ loop: [name, bound], slot: slots[slot % slots.length] ?? [0, 'temporal'], order })
    product.set(name, (product.get(name) ?? 1) * bound)
  }
  for (const { dimension, bound, slot, order } of live.length === 0 ? [] : splits) {
    const name = live[dimension % live.length] ?? 'N'
    if ((product.get(name) ?? 1) >= extentOf(problem, name)) continue
    place(name, bound, slot, order)
  }
  for (const [index, name] of DIMENSIONS.entries()) {
    const missing = Math.ceil(extentOf(problem, name) / (product.get(name) ?? 1))
    const { slot, order } = rest[index] ?? { slot: 0, order: 0 }
    if (missing > 1) place(name, missing, slot, order)
  }
  const loopsAt = (level: number, axis: Slot[1]): Loop[] =>
    placed
      .filter(({ slot }) => slot[0] === level && slot[1] === axis)
      .toSorted((a, b) => a.order - b.order)
      .map(({ loop }) => loop)
  const crossed = placed.filter(({ slot }) => slot[1] !== 'temporal').map(({ slot }) => slot)
  const [level, axis] = (always ? crossed[(forward?.level ?? 0) % crossed.length] : undefined) ?? [
    forward?.level ?? -1,
    forward?.axis ?? 'x',
  ]
  const levels = Array.from({ length: depth }, (_, index): MappingLevel => ({
    name: `L${index}`,
    temporal: loopsAt(index, 'temporal'),
    spatial: { x: loopsAt(index, 'x'), y: loopsAt(index, 'y') },
    ...(index === 0 ? {} : { keep: keep[index] ?? [] }),
    ...(index === level ? { forward: { [forward?.operand ?? 'inputs']: axis } } : {}),
  }))
  const hardware: Hardware = {
    name: 'random',
    array: { x: 1, y: 1 },
    levels: levels.map(({ name }, index) => ({
      name,
      energy: 10 ** (depth - index),
      fanout: { x: 10_000, y: 10_000 },
      multicast: multicast[index] ?? true,
    })),
    network: { energy: 2 },
    mac: { energy: 1 },
  }
  return { problem, hardware, mapping: { levels } }
}
