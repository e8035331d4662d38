/**
 * The oracle: the same counts as `evaluate`, by walking every step of every instance with real sets of words. Think of it as the
 * definition, written to be read and shared with nothing; it is slow, for problems of some thousand multiply-accumulates.
 */
import type { Hardware } from '../schedule/hardware.ts'
import { keeps, type Mapping } from '../schedule/mapping.ts'
import { OPERANDS, extentOf, type Dimension, type Operand, type Problem } from '../schedule/problem.ts'
import type { Accesses } from './evaluation.ts'

export interface Walk {
  readonly macs: number
  readonly steps: number
  readonly accesses: Readonly<Record<string, Readonly<Record<Operand, Accesses>>>>
  /** Input accesses to zero padding, by level. */
  readonly padding: Readonly<Record<string, number>>
  readonly hops: Readonly<Record<Operand, number>>
  /** The hops by the level in whose fan-out they occur. */
  readonly hopsByLevel: Readonly<Record<string, Readonly<Record<Operand, number>>>>
  readonly deliveries: Readonly<Record<string, Readonly<Record<Operand, number>>>>
}

export type Point = Record<Dimension, number>

export interface WalkLoop {
  readonly dimension: Dimension
  readonly bound: number
  readonly level: number
  readonly axis: 'temporal' | 'x' | 'y'
}

/** Walks a legal mapping. */
export function walk(problem: Problem, hardware: Hardware, mapping: Mapping): Walk {
  const loops = walkLoops(mapping)
  const depth = mapping.levels.length
  const tallies = mapping.levels.map(() => blank())
  const padding = mapping.levels.map(() => 0)
  const hops = mapping.levels.map(none)
  const deliveries = mapping.levels.map(none)
  for (const operand of OPERANDS) {
    const chain = [...mapping.levels.keys()].filter((level) => keeps(mapping, level, operand, hardware))
    for (const [index, parent] of chain.entries()) {
      const child = chain[index + 1] ?? depth
      const link = walkLink({ problem, hardware, mapping, loops, operand, parent, child })
      const above = tallies[parent]?.[operand]
      const below = tallies[child]?.[operand]
      if (above !== undefined) {
        above.reads += link.parentReads
        above.updates += link.parentUpdates
      }
      if (below !== undefined) {
        below.fills += link.childFills
        padding[child] = (padding[child] ?? 0) + link.paddingFills
      }
      padding[parent] = (padding[parent] ?? 0) + link.paddingReads
      for (const [level, count] of link.hops) {
        const at = hops[level]
        if (at !== undefined) at[operand] += count
      }
      const delivered = deliveries[parent]
      if (delivered !== undefined) delivered[operand] += link.deliveries
    }
  }
  const work = countWork(problem, loops)
  const byLevel = <T>(values: readonly T[]): Record<string, T> =>
    Object.fromEntries(values.map((value, level) => [mapping.levels[level]?.name ?? '', value]))
  const total = (operand: Operand): number => hops.reduce((sum, at) => sum + at[operand], 0)
  return {
    ...work,
    accesses: byLevel(tallies),
    padding: byLevel(padding),
    hops: { weights: total('weights'), inputs: total('inputs'), outputs: total('outputs') },
    hopsByLevel: byLevel(hops),
    deliveries: byLevel(deliveries),
  }
}

/** A mapping's loops, outermost first. */
export function walkLoops(mapping: Mapping): WalkLoop[] {
  return mapping.levels.flatMap(({ temporal, spatial }, level) => [
    ...temporal.map(([dimension, bound]): WalkLoop => ({ dimension, bound, level, axis: 'temporal' })),
    ...(spatial?.x ?? []).map(([dimension, bound]): WalkLoop => ({ dimension, bound, level, axis: 'x' })),
    ...(spatial?.y ?? []).map(([dimension, bound]): WalkLoop => ({ dimension, bound, level, axis: 'y' })),
  ])
}

function none(): Record<Operand, number> {
  return { weights: 0, inputs: 0, outputs: 0 }
}

function blank(): Record<Operand, { reads: number; fills: number; updates: number }> {
  const nothing = { reads: 0, fills: 0, updates: 0 }
  return { weights: { ...nothing }, inputs: { ...nothing }, outputs: { ...nothing } }
}

/** Every combination of trips of `loops`, the last loop fastest. */
export function* trips(loops: readonly WalkLoop[]): Generator<readonly number[]> {
  const values = loops.map(() => 0)
  for (;;) {
    yield values
    let at = loops.length - 1
    while (at >= 0 && values[at] === (loops[at]?.bound ?? 1) - 1) values[at--] = 0
    if (at < 0) return
    values[at] = (values[at] ?? 0) + 1
  }
}

/** The point of the loop nest at given trips of all loops, or undefined where it lies outside the problem. */
export function pointOf(problem: Problem, loops: readonly WalkLoop[], trip: ReadonlyMap<WalkLoop, number>): Point | undefined {
  const point: Point = { G: 0, N: 0, M: 0, C: 0, P: 0, Q: 0, R: 0, S: 0 }
  for (const loop of loops) point[loop.dimension] = point[loop.dimension] * loop.bound + (trip.get(loop) ?? 0)
  for (const dimension of Object.keys(point) as Dimension[]) if (point[dimension] >= extentOf(problem, dimension)) return undefined
  return point
}

/** A word's name; for inputs of padded rows and columns too. */
export function wordOf(problem: Problem, operand: Operand, { G, N, M, C, P, Q, R, S }: Point): string {
  if (operand === 'weights') return `${G} ${M} ${C} ${R} ${S}`
  if (operand === 'outputs') return `${G} ${N} ${M} ${P} ${Q}`
  const row = P * problem.stride[0] + R * problem.dilation[0]
  const column = Q * problem.stride[1] + S * problem.dilation[1]
  const rows = (problem.P - 1) * problem.stride[0] + (problem.R - 1) * problem.dilation[0] + 1
  const columns = (problem.Q - 1) * problem.stride[1] + (problem.S - 1) * problem.dilation[1] + 1
  const [top, left, bottom, right] = problem.padding
  const isPadding = row < top || column < left || row >= rows - bottom || column >= columns - right
  return `${G} ${N} ${C} ${row} ${column}${isPadding ? ' pad' : ''}`
}

function countWork(problem: Problem, loops: readonly WalkLoop[]): { macs: number; steps: number } {
  const temporal = loops.filter(({ axis }) => axis === 'temporal')
  const steps = new Set<string>()
  let macs = 0
  for (const values of trips(loops)) {
    const trip = new Map(loops.map((loop, index) => [loop, values[index] ?? 0]))
    if (pointOf(problem, loops, trip) === undefined) continue
    macs++
    steps.add(temporal.map((loop) => trip.get(loop)).join(' '))
  }
  return { macs, steps: steps.size }
}

export interface LinkContext {
  readonly problem: Problem
  readonly hardware: Hardware
  readonly mapping: Mapping
  readonly loops: readonly WalkLoop[]
  readonly operand: Operand
  readonly parent: number
  /** The mapping's depth for the MACs. */
  readonly child: number
}

interface Link {
  parentReads: number
  parentUpdates: number
  childFills: number
  paddingReads: number
  paddingFills: number
  deliveries: number
  /** By level. */
  readonly hops: Map<number, number>
}

/** One instance of the child below one instance of the parent. */
export interface ChildInstance {
  readonly trip: readonly (readonly [WalkLoop, number])[]
  /** The level along whose fan-out it has neighbours. */
  readonly network: number
  /** Which instance of the parent it is below. */
  readonly parent: string
  /** Which of the parent's reads it shares: the trips of spatial loops that do not multicast. */
  readonly shared: string
  readonly neighbours: ChildInstance[]
  /** What it held after the last step in which it worked. */
  held: ReadonlySet<string>
}

function walkLink(context: LinkContext): Link {
  const { problem, mapping, loops, operand, child } = context
  const time = loops.filter(({ axis, level }) => axis === 'temporal' && level < child)
  const inside = loops.filter(({ level }) => level >= child)
  const instances = childInstances(context)
  const isResident = child < mapping.levels.length
  const link: Link = {
    parentReads: 0,
    parentUpdates: 0,
    childFills: 0,
    paddingReads: 0,
    paddingFills: 0,
    deliveries: 0,
    hops: new Map(),
  }
  /** Outputs that a parent instance holds a partial sum of. */
  const written = new Set<string>()
  for (const values of trips(time)) {
    const now = time.map((loop, index) => [loop, values[index] ?? 0] as const)
    const tiles = new Map<ChildInstance, ReadonlySet<string>>()
    for (const instance of instances) {
      const tile = new Set<string>()
      for (const inner of trips(inside)) {
        const trip = new Map([...now, ...instance.trip, ...inside.map((loop, index) => [loop, inner[index] ?? 0] as const)])
        const point = pointOf(problem, loops, trip)
        if (point !== undefined) tile.add(wordOf(problem, operand, point))
      }
      if (tile.size > 0) tiles.set(instance, tile)
    }
    takeStep({ tiles, operand, isResident, written }, link)
    for (const [instance, tile] of tiles) instance.held = tile
  }
  return link

  function takeStep(step: Step, into: Link): void {
    const hop = (level: number, count: number): void => void into.hops.set(level, (into.hops.get(level) ?? 0) + count)
    /** Children that send up a sum of a word, by what serves them and the word. */
    const senders = new Map<string, ChildInstance[]>()
    const served = new Map<string, Set<string>>()
    for (const [instance, tile] of step.tiles) {
      for (const word of tile) {
        if (step.isResident && instance.held.has(word)) continue
        if (instance.neighbours.some((neighbour) => step.tiles.has(neighbour) && neighbour.held.has(word))) {
          hop(instance.network, 1)
          if (step.isResident) into.childFills++
          if (step.isResident && word.endsWith('pad')) into.paddingFills++
          continue
        }
        const group = `${instance.parent}|${instance.shared}`
        const words = served.get(group) ?? new Set()
        served.set(group, words)
        into.deliveries++
        if (step.operand === 'outputs') {
          const key = `${group}|${word}`
          senders.set(key, [...(senders.get(key) ?? []), instance])
        } else if (step.isResident) {
          into.childFills++
          if (word.endsWith('pad')) into.paddingFills++
        }
        words.add(word)
      }
    }
    for (const instances of senders.values()) addUp(instances, hop)
    const before = new Set(step.written)
    const begun = new Set<string>()
    for (const [group, words] of served) {
      const at = group.split('|')[0] ?? ''
      for (const word of words) {
        if (step.operand !== 'outputs') {
          into.parentReads++
          if (word.endsWith('pad')) into.paddingReads++
          continue
        }
        const name = `${at}|${word}`
        into.parentUpdates++
        // The first sum of a word is written as it is; a later one needs the sum so far: at the child, or added at the parent.
        if (step.written.has(name)) into.parentReads++
        if (before.has(name) && !begun.has(name) && step.isResident) into.childFills++
        step.written.add(name)
        begun.add(name)
      }
    }
  }

  /** Children add up on the way, level by level from the innermost: at each fan-out all sums but the first cost a hop. */
  function addUp(instances: readonly ChildInstance[], hop: (level: number, count: number) => void): void {
    const sums = (outside: number): number =>
      new Set(
        instances.map(({ trip, shared }) =>
          [shared, ...trip.map(([loop, value]) => (loop.level < outside ? value : ''))].join(' '),
        ),
      ).size
    for (let level = child - 1; level >= context.parent; level--) hop(level, sums(level + 1) - sums(level))
  }
}

interface Step {
  readonly tiles: ReadonlyMap<ChildInstance, ReadonlySet<string>>
  readonly operand: Operand
  readonly isResident: boolean
  readonly written: Set<string>
}

/** The children of a link, and what of the parent each shares. */
export function childInstances({ hardware, mapping, loops, operand, parent, child }: LinkContext): ChildInstance[] {
  const spatial = loops.filter(({ axis, level }) => axis !== 'temporal' && level < child)
  const alone = spatial.filter(({ level }) => level >= parent && hardware.levels[level]?.multicast === false)
  const above = spatial.filter(({ level }) => level < parent)
  const forwarding = mapping.levels.findIndex(
    ({ forward }, level) => level >= parent && level < child && forward?.[operand] !== undefined,
  )
  const axis = mapping.levels[forwarding]?.forward?.[operand]
  const along = spatial.findLast((loop) => loop.level === forwarding && loop.axis === axis && loop.bound > 1)
  const instances = new Map<string, ChildInstance>()
  for (const values of trips(spatial)) {
    const part = (wanted: readonly WalkLoop[]): string =>
      spatial.map((loop, i) => (wanted.includes(loop) ? values[i] : '')).join(' ')
    instances.set(values.join(' '), {
      trip: spatial.map((loop, index) => [loop, values[index] ?? 0] as const),
      parent: part(above),
      shared: part(alone),
      neighbours: [],
      network: forwarding,
      held: new Set(),
    })
  }
  if (along === undefined) return [...instances.values()]
  for (const instance of instances.values()) {
    for (const offset of [-1, 1]) {
      const key = instance.trip.map(([loop, value]) => (loop === along ? value + offset : value)).join(' ')
      const neighbour = instances.get(key)
      if (neighbour !== undefined) instance.neighbours.push(neighbour)
    }
  }
  return [...instances.values()]
}
