/** Random small problems with legal mappings on random hierarchies, ragged more often than not. */
import fc from 'fast-check'
import type { Hardware } from '../../src/schedule/hardware.ts'
import type { Loop, Mapping, MappingLevel } from '../../src/schedule/mapping.ts'
import { DIMENSIONS, OPERANDS, convProblem, extentOf, type Dimension, type Operand, type Problem } from '../../src/schedule/problem.ts'

export interface Case {
  readonly problem: Problem
  readonly hardware: Hardware
  readonly mapping: Mapping
}

const dimension = (most: number): fc.Arbitrary<number> => fc.oneof(fc.constant(1), fc.integer({ min: 1, max: most }))

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
    padding: fc.tuple(...[0, 1, 2, 3].map(() => fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 })))),
  })
  .map((fields) => convProblem({ ...fields, padding: fields.padding as [number, number, number, number] }))
  .filter((problem) => DIMENSIONS.reduce((product, name) => product * extentOf(problem, name), 1) <= 1500)

/** Where a loop may stand: a level's temporal loops, or its x or y. */
type Slot = readonly [level: number, axis: 'temporal' | 'x' | 'y']

export const cases: fc.Arbitrary<Case> = problems.chain((problem) =>
  fc
    .record({
      depth: fc.integer({ min: 1, max: 4 }),
      splits: fc.array(fc.record({ dimension: fc.nat(), bound: fc.integer({ min: 2, max: 4 }), slot: fc.nat(), order: fc.nat(1000) }), { maxLength: 9 }),
      keep: fc.array(fc.subarray([...OPERANDS]), { minLength: 4, maxLength: 4 }),
      multicast: fc.array(fc.oneof(fc.constant(true), fc.boolean()), { minLength: 4, maxLength: 4 }),
      forward: fc.option(fc.record({ level: fc.nat(3), operand: fc.constantFrom<Operand>(...OPERANDS), axis: fc.constantFrom<'x' | 'y'>('x', 'y') })),
      rest: fc.array(fc.record({ slot: fc.nat(), order: fc.nat(1000) }), { minLength: 8, maxLength: 8 }),
    })
    .map((choice) => build(problem, choice)),
)

interface Choice {
  readonly depth: number
  readonly splits: readonly { dimension: number; bound: number; slot: number; order: number }[]
  readonly keep: readonly Operand[][]
  readonly multicast: readonly boolean[]
  readonly forward: { level: number; operand: Operand; axis: 'x' | 'y' } | null
  readonly rest: readonly { slot: number; order: number }[]
}

function build(problem: Problem, { depth, splits, keep, multicast, forward, rest }: Choice): Case {
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
  const levels = Array.from({ length: depth }, (_, level): MappingLevel => ({
    name: `L${level}`,
    temporal: loopsAt(level, 'temporal'),
    spatial: { x: loopsAt(level, 'x'), y: loopsAt(level, 'y') },
    ...(level === 0 ? {} : { keep: keep[level] ?? [] }),
    ...(forward !== null && forward.level === level ? { forward: { [forward.operand]: forward.axis } } : {}),
  }))
  const hardware: Hardware = {
    name: 'random',
    array: { x: 1, y: 1 },
    levels: levels.map(({ name }, level) => ({
      name,
      energy: 10 ** (depth - level),
      fanout: { x: 10_000, y: 10_000 },
      multicast: multicast[level] ?? true,
    })),
    network: { energy: 2 },
    mac: { energy: 1 },
  }
  return { problem, hardware, mapping: { levels } }
}
