/**
 * Which values decide whether a word has to move. Think of a waiter who need not fetch a dish (the target's tile) if every guest at the
 * table it is for (the leader's tile) has left: the leader's tile is all that the target's meets from when it arrives until it is
 * replaced (Sparseloop, MICRO 2022, section 5.3.4: leader-follower intersection).
 *
 *     for m …                                      target weights, fetched from L0 into L1 whenever m or c moves
 *       for c …            ◀ moves the target
 *         for p …                                  stays: p is part of the visit
 *     L1:   for q …, for r …                       inside the tile: part of the visit
 *
 * The leader's tile here: inputs of one c, all p, the q and r of L1. Tiles at ragged edges are smaller, so visits are counted by the sizes of their
 * tiles, each weighted with the target's words that it brings.
 */
import { DIMENSIONS, extentOf, isRelevant, type Dimension, type Operand, type Problem } from '../schedule/problem.ts'
import type { Mapping } from '../schedule/mapping.ts'
import type { Factor } from '../schedule/hardware.ts'
import type { TileShape } from './density.ts'

export interface NestLoop {
  readonly dimension: Dimension
  readonly bound: number
  readonly level: number
  readonly isTemporal: boolean
}

/** All loops of a mapping that turn more than once, outermost first. */
export function loopsOf(mapping: Mapping): NestLoop[] {
  return mapping.levels.flatMap(({ temporal, spatial }, level) =>
    [
      ...temporal.map(([dimension, bound]) => ({ dimension, bound, level, isTemporal: true })),
      ...[...(spatial?.x ?? []), ...(spatial?.y ?? [])].map(([dimension, bound]) => ({
        dimension,
        bound,
        level,
        isTemporal: false,
      })),
    ].filter(({ bound }) => bound > 1),
  )
}

export interface Link {
  readonly parent: number
  /** The mapping's depth for the MACs. */
  readonly child: number
}

/**
 * Loops that run while a child keeps the target's tile, and over the children that share its read (or add up its sum).
 * @param multicasts by level: whether one read serves all children
 */
export function visitLoops(
  loops: readonly NestLoop[],
  { parent, child }: Link,
  depth: number,
  target: Operand,
  multicasts: readonly boolean[],
): ReadonlySet<NestLoop> {
  const visit = new Set(loops.filter(({ level }) => level >= child))
  for (const loop of loops) {
    const isShared = !loop.isTemporal && loop.level >= parent && loop.level < child && multicasts[loop.level] !== false
    if (isShared && !isRelevant(target, loop.dimension)) visit.add(loop)
  }
  if (child === depth) return visit
  for (const loop of loops.filter(({ isTemporal, level }) => isTemporal && level < child).toReversed()) {
    if (isRelevant(target, loop.dimension)) break
    visit.add(loop)
  }
  return visit
}

/** Loops over which one output word of a parent is summed up, from first to last. */
export function lifetimeLoops(loops: readonly NestLoop[], { parent }: Link): ReadonlySet<NestLoop> {
  return new Set(
    loops.filter(({ dimension, isTemporal, level }) => !isRelevant('outputs', dimension) && (isTemporal || level >= parent)),
  )
}

/** A size of the leader's tile, and the part of the target's words that meet it. */
export interface LeaderTile extends TileShape {
  readonly part: number
}

/** One size along a dimension (or a pair that slides), before all are multiplied. */
interface Factors {
  readonly words: number
  /** Of the channels: how many of each group. */
  readonly held?: readonly number[]
  readonly weight: number
}

/**
 * Sizes of the leader's tiles over all visits.
 * @param group channels of a group of the leader, where it matters which of them a tile holds
 */
export function leaderTiles(
  problem: Problem,
  loops: readonly NestLoop[],
  visit: ReadonlySet<NestLoop>,
  { target, leader, group }: { readonly target: Operand; readonly leader: Factor; readonly group?: number | undefined },
): LeaderTile[] {
  const visits = (dimension: Dimension): number[][] => visitsAlong(extentOf(problem, dimension), dimension, loops, visit)
  const alone = (dimension: Dimension): Factors[] =>
    visits(dimension).map((values) => ({
      words: isRelevant(leader, dimension) ? values.length : 1,
      ...(dimension === 'C' ? { held: heldOf(values, group) } : {}),
      weight: isRelevant(target, dimension) ? values.length : 1,
    }))
  const sliding = (outer: 'P' | 'Q', inner: 'R' | 'S', axis: 0 | 1): Factors[] => {
    const [U, D] = [problem.stride[axis], problem.dilation[axis]]
    const inners = visits(inner)
    return visits(outer).flatMap((outers) =>
      inners.map((taps) => {
        const rows =
          leader === 'inputs' || target === 'inputs' ? new Set(outers.flatMap((o) => taps.map((i) => o * U + i * D))).size : 0
        const words: Readonly<Record<Operand, number>> = { weights: taps.length, inputs: rows, outputs: outers.length }
        return { words: words[leader], weight: words[target] }
      }),
    )
  }
  let tiles = merged(alone('C')).map(({ held = [1], weight }) => ({ lines: 1, held, part: weight }))
  for (const factors of [alone('G'), alone('N'), alone('M'), sliding('P', 'R', 0), sliding('Q', 'S', 1)].map(merged)) {
    tiles = tiles.flatMap(({ lines, held, part }) =>
      factors.map(({ words, weight }) => ({ lines: lines * words, held, part: part * weight })),
    )
  }
  const total = tiles.reduce((sum, { part }) => sum + part, 0)
  return tiles.map((tile) => ({ ...tile, part: tile.part / total }))
}

/** A dimension's values, by visit: those that differ in loops of the visit alone are of one. */
function visitsAlong(extent: number, dimension: Dimension, loops: readonly NestLoop[], visit: ReadonlySet<NestLoop>): number[][] {
  const own = loops.filter((loop) => loop.dimension === dimension)
  const byVisit = new Map<number, number[]>()
  for (let value = 0; value < extent; value++) {
    let rest = value
    let key = 0
    let scale = 1
    for (let at = own.length - 1; at >= 0; at--) {
      const loop = own[at]
      if (loop === undefined) continue
      if (!visit.has(loop)) {
        key += scale * (rest % loop.bound)
        scale *= loop.bound
      }
      rest = Math.floor(rest / loop.bound)
    }
    const values = byVisit.get(key)
    if (values === undefined) byVisit.set(key, [value])
    else values.push(value)
  }
  return [...byVisit.values()]
}

function heldOf(channels: readonly number[], group: number | undefined): number[] {
  if (group === undefined) return [channels.length]
  const held = new Map<number, number>()
  for (const channel of channels) {
    const at = Math.floor(channel / group)
    held.set(at, (held.get(at) ?? 0) + 1)
  }
  return [...held.values()]
}

/** Equal sizes once. */
function merged(factors: readonly Factors[]): Factors[] {
  const bySize = new Map<string, Factors>()
  for (const factor of factors) {
    const key = factor.held === undefined ? `${factor.words}` : factor.held.toSorted((a, b) => a - b).join(' ')
    const weight = (bySize.get(key)?.weight ?? 0) + factor.weight
    bySize.set(key, { ...factor, weight })
  }
  return [...bySize.values()]
}

/** Names of all dimensions, each with a length. */
export function lengthsOf(length: (dimension: Dimension) => number): Readonly<Record<Dimension, number>> {
  const [G, N, M, C, P, Q, R, S] = DIMENSIONS
  return {
    G: length(G),
    N: length(N),
    M: length(M),
    C: length(C),
    P: length(P),
    Q: length(Q),
    R: length(R),
    S: length(S),
  }
}
