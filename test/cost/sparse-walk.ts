/**
 * The oracle of zeros: every access of a mapping as an event, with the sets of weights and inputs that decide whether it has to be made.
 * Think of the walk of `src/cost/walker.ts` with a shopping list for each delivery: what the delivered word is for until its tile is replaced.
 * With a pattern of zeros each event is made or not; counts are sums over events. It shares the walk's loops, and nothing of the closed form.
 */
import { childInstances, pointOf, trips, walkLoops, wordOf, type ChildInstance, type WalkLoop } from '../../src/cost/walker.ts'
import type { Factor, Hardware } from '../../src/schedule/hardware.ts'
import { keeps, type Mapping } from '../../src/schedule/mapping.ts'
import type { Operand, Problem } from '../../src/schedule/problem.ts'

export interface WalkEvent {
  /** The word, and which instance of the parent has it. */
  readonly word: string
  /** Words that it meets. */
  readonly meets: Readonly<Record<Factor, ReadonlySet<string>>>
  /** Children that receive it. */
  readonly children: number
}

export interface WalkedLink {
  readonly parent: number
  readonly child: number
  readonly events: readonly WalkEvent[]
}

/** A stay of a tile in a child. */
interface Visit {
  readonly start: string
  readonly tile: ReadonlySet<string>
  readonly fresh: readonly string[]
  readonly meets: Record<Factor, Set<string>>
}

/** All links of an operand, outermost first. */
export function walkEvents(problem: Problem, hardware: Hardware, mapping: Mapping, operand: Operand): WalkedLink[] {
  const loops = walkLoops(mapping)
  const depth = mapping.levels.length
  const chain = [...mapping.levels.keys()].filter((level) => keeps(mapping, level, operand, hardware))
  return chain.map((parent, index) => {
    const child = chain[index + 1] ?? depth
    const time = loops.filter(({ axis, level }) => axis === 'temporal' && level < child)
    const inside = loops.filter(({ level }) => level >= child)
    const events = new Map<string, { word: string; meets: Record<Factor, Set<string>>; children: number }>()
    for (const instance of childInstances({ problem, hardware, mapping, loops, operand, parent, child })) {
      for (const visit of visitsOf(instance, time, inside, child < depth)) {
        for (const word of visit.fresh) {
          const key = `${instance.parent}|${instance.shared}|${visit.start}|${word}`
          const event = events.get(key) ?? {
            word: `${instance.parent}|${word}`,
            meets: { weights: new Set<string>(), inputs: new Set<string>() },
            children: 0,
          }
          events.set(key, event)
          event.children++
          for (const factor of ['weights', 'inputs'] as const) {
            for (const met of visit.meets[factor]) event.meets[factor].add(met)
          }
        }
      }
    }
    return { parent, child, events: [...events.values()] }
  })

  function visitsOf(instance: ChildInstance, time: readonly WalkLoop[], inside: readonly WalkLoop[], isResident: boolean): Visit[] {
    const visits: Visit[] = []
    for (const values of trips(time)) {
      const tile = new Set<string>()
      const meets = { weights: new Set<string>(), inputs: new Set<string>() }
      for (const inner of trips(inside)) {
        const at = new Map([
          ...time.map((loop, i) => [loop, values[i] ?? 0] as const),
          ...instance.trip,
          ...inside.map((loop, i) => [loop, inner[i] ?? 0] as const),
        ])
        const point = pointOf(problem, loops, at)
        if (point === undefined) continue
        tile.add(wordOf(problem, operand, point))
        meets.weights.add(wordOf(problem, 'weights', point))
        meets.inputs.add(wordOf(problem, 'inputs', point))
      }
      if (tile.size === 0) continue
      const last = isResident ? visits.at(-1) : undefined
      if (last !== undefined && last.tile.size === tile.size && [...tile].every((word) => last.tile.has(word))) {
        for (const factor of ['weights', 'inputs'] as const) for (const word of meets[factor]) last.meets[factor].add(word)
      } else visits.push({ start: values.join(' '), tile, fresh: [...tile].filter((word) => last?.tile.has(word) !== true), meets })
    }
    return visits
  }
}

/** Whether an event is left out: everything that it meets of one of the factors is zero. */
export function isLeftOut(
  { meets }: WalkEvent,
  on: readonly Factor[],
  zeros: Readonly<Record<Factor, ReadonlySet<string>>>,
): boolean {
  return on.some((factor) => [...meets[factor]].every((word) => zeros[factor].has(word)))
}

/** All words of an operand. */
export function wordsOf(problem: Problem, mapping: Mapping, operand: Operand): string[] {
  const loops = walkLoops(mapping)
  const words = new Set<string>()
  for (const values of trips(loops)) {
    const point = pointOf(problem, loops, new Map(loops.map((loop, index) => [loop, values[index] ?? 0])))
    if (point !== undefined) words.add(wordOf(problem, operand, point))
  }
  return [...words]
}
