/**
 * Why a count is what it is, as a product of four facts read off the mapping; and, of two mappings, which facts differ. Think of a
 * level's reads as: the operand's words, × how often each comes back, × how many instances ask apart, with one read serving the
 * children that share it. The product is the count itself where tiles divide the problem and windows do not overlap; where they do,
 * the count goes with it up to those overlaps and edges, and the words say so.
 */
import { tileWords } from '../schedule/check.ts'
import { keeps } from '../schedule/mapping.ts'
import { DIMENSIONS, RELEVANT, REDUCTION, extentOf, isRelevant, type Operand, type Problem } from '../schedule/problem.ts'
import { loopsAt, placeName, type Difference, type Side } from './differences.ts'

export type AccessKind = 'reads' | 'fills' | 'updates'

/** A loop over a dimension that the operand does not depend on. */
interface Place {
  readonly text: string
  readonly bound: number
  readonly level: number
}

export interface Facts {
  /** The level does not keep the operand: nothing is counted there. */
  readonly kept: boolean
  /** What is served, or (for fills) what serves. */
  readonly partner: string
  /** Words of the operand that one instance of the receiving level holds; undefined for the MACs, which hold none. */
  readonly tile?: number
  /** Temporal loops that bring each word back: outside a loop that changes the tile, or any where the MACs are served. */
  readonly repeats: readonly Place[]
  /** Spatial loops whose instances each ask for the same word. */
  readonly copies: readonly Place[]
  /** Of `copies`, the instances of the serving level: each counts a word's first accumulation as free. */
  readonly servers: number
  /** Spatial loops whose children share one read, or whose partial sums are added on the way. */
  readonly shared: readonly Place[]
  readonly forward?: string
}

/** The facts of one count: `level` is an index, its parent or child the next level that keeps the operand. */
export function factsOf(problem: Problem, { mapping, hardware }: Side, level: number, operand: Operand, kind: AccessKind): Facts {
  const depth = mapping.levels.length
  const kept = mapping.levels.flatMap((_, index) => (keeps(mapping, index, operand, hardware) ? [index] : []))
  const at = kept.indexOf(level)
  const nothing = { kept: false, partner: '', repeats: [], copies: [], servers: 1, shared: [] }
  if (at === -1) return nothing
  const [parent, child] = kind === 'fills' ? [kept[at - 1], level] : [level, kept[at + 1] ?? depth]
  if (parent === undefined) return nothing
  const temporal = mapping.levels.flatMap((entry, index) =>
    loopsAt(entry, 'temporal').map(([dimension, bound]) => ({ dimension, bound, level: index })),
  )
  const outside = temporal.filter((loop) => loop.level < child)
  const lastMoving = outside.findLastIndex(({ dimension }) => isRelevant(operand, dimension))
  const repeats = outside
    .filter((loop, index) => !isRelevant(operand, loop.dimension) && (child === depth || index < lastMoving))
    .map(({ dimension, bound, level: index }) => ({
      text: `${dimension} ${bound} at ${mapping.levels[index]?.name}`,
      bound,
      level: index,
    }))
  const spatial = mapping.levels.flatMap((entry, index) =>
    (['x', 'y'] as const).flatMap((axis) =>
      loopsAt(entry, axis)
        .filter(([dimension]) => !isRelevant(operand, dimension))
        .map(([dimension, bound]) => ({
          text: `${dimension} ${bound} over ${placeName(entry.name, axis)}`,
          bound,
          level: index,
          alone: hardware.levels[index]?.multicast === false,
        })),
    ),
  )
  const between = spatial.filter((loop) => loop.level >= parent && loop.level < child)
  const above = spatial.filter((loop) => loop.level < parent)
  const isFill = kind === 'fills' && operand !== 'outputs'
  const forward = mapping.levels.slice(parent, child).find((entry) => entry.forward?.[operand] !== undefined)?.forward?.[operand]
  const name = (index: number): string => mapping.levels[index]?.name ?? 'the MACs'
  return {
    kept: true,
    partner: name(kind === 'fills' ? parent : child),
    ...(child === depth ? {} : { tile: tileWords(problem, mapping, child, operand) }),
    repeats,
    copies: isFill ? [...above, ...between] : [...above, ...between.filter(({ alone }) => alone && kind !== 'fills')],
    servers: product(above),
    shared: isFill ? [] : between.filter(({ alone }) => !alone || kind === 'fills'),
    ...(forward === undefined ? {} : { forward }),
  }
}

const product = (places: readonly Place[]): number => places.reduce((sum, { bound }) => sum * bound, 1)

/** Distinct words of an operand, windows taken apart: exact for weights and outputs, and for inputs of 1×1 windows. */
function wordsOf(problem: Problem, operand: Operand): number {
  return RELEVANT[operand].reduce((words, dimension) => words * extentOf(problem, dimension), 1)
}

/**
 * The count that the facts alone imply, for tiles that divide the problem and windows that do not overlap (R = S = 1, or P = Q = 1),
 * without forwarding, in exact mode.
 */
export function impliedCount(problem: Problem, operand: Operand, kind: AccessKind, facts: Facts): number {
  if (!facts.kept) return 0
  if (operand !== 'outputs' && kind === 'updates') return 0
  if (operand !== 'outputs') return wordsOf(problem, operand) * product(facts.repeats) * product(facts.copies)
  const arrivals = wordsOf(problem, operand) * product(facts.repeats) * product(facts.copies)
  // A word's first accumulation at an instance is free: no read and no refill.
  return kind === 'updates' ? arrivals : arrivals - wordsOf(problem, operand) * facts.servers
}

const list = (places: readonly Place[]): string => places.map(({ text }) => text).join(', ')
const times = (count: number): string => (count === 1 ? 'once' : count === 2 ? 'twice' : `${count.toLocaleString('en-US')} times`)
const grouped = (count: number): string => count.toLocaleString('en-US')
const same = (a: readonly Place[], b: readonly Place[]): boolean => list(a) === list(b)

interface Asked {
  readonly problem: Problem
  readonly level: string
  readonly operand: Operand
  readonly kind: AccessKind
}

/** Which facts of a count differ between two sides, in words; empty where none does. */
export function factChanges({ level, operand, kind }: Asked, before: Facts, after: Facts): string[] {
  if (before.kept !== after.kept) {
    return [
      after.kept
        ? `${level} has ${operand} to ${kind === 'fills' ? 'fill' : 'serve'} now`
        : `${level} holds no ${operand} any more`,
    ]
  }
  const said: string[] = []
  const isOutput = operand === 'outputs'
  if (before.partner !== after.partner) {
    said.push(
      kind === 'fills'
        ? `they come from ${after.partner} instead of ${before.partner}`
        : `${level} serves ${after.partner} instead of ${before.partner}`,
    )
  }
  const [repeatsBefore, repeatsAfter] = [product(before.repeats), product(after.repeats)]
  if (repeatsBefore !== repeatsAfter) {
    const more = repeatsAfter > repeatsBefore
    const loops = more ? after.repeats : before.repeats
    const verb = isOutput ? (kind === 'updates' ? 'each output is written up' : 'each partial sum takes part') : 'each word comes'
    const cause = loops.length === 0 ? '' : more ? ` (${list(loops)} repeats it)` : ` (no longer repeated by ${list(loops)})`
    said.push(`${verb} ${times(repeatsAfter)} instead of ${times(repeatsBefore)}${cause}`)
  }
  const [sharedBefore, sharedAfter] = [product(before.shared), product(after.shared)]
  if (sharedBefore !== sharedAfter) {
    const loops = list(sharedAfter > sharedBefore ? after.shared : before.shared)
    const sums = (count: number): string => (count === 1 ? 'no partial sums are' : `${count} partial sums are`)
    said.push(
      isOutput
        ? `${sums(sharedAfter)} added on the way instead of ${sharedBefore === 1 ? 'none' : sharedBefore} (${loops})`
        : `one read serves ${sharedAfter} instead of ${sharedBefore} (${loops})`,
    )
  }
  const [copiesBefore, copiesAfter] = [product(before.copies), product(after.copies)]
  if (copiesBefore !== copiesAfter) {
    const loops = list(copiesAfter > copiesBefore ? after.copies : before.copies)
    said.push(
      `${grouped(copiesAfter)} ${copiesAfter === 1 ? 'instance asks' : 'instances ask'} for each word instead of ${grouped(copiesBefore)} (${loops})`,
    )
  }
  if (before.forward !== after.forward) {
    said.push(
      after.forward === undefined ? 'neighbours hand nothing on any more' : `neighbours hand words on along ${after.forward}`,
    )
  }
  if (said.length === 0 && before.tile !== after.tile && before.tile !== undefined && after.tile !== undefined) {
    const holder = kind === 'fills' ? level : after.partner
    said.push(`a tile of ${holder} is ${grouped(after.tile)} words instead of ${grouped(before.tile)}`)
  }
  if (said.length === 0 && !same(before.repeats, after.repeats))
    said.push(`repeated by ${list(after.repeats)} instead of ${list(before.repeats)}`)
  return said
}

/** What changes a count beside the facts: windows that overlap, edges, the convention. */
export function besides({ problem, operand, kind }: Asked, difference: Difference, before: Side, after: Side): string {
  if (difference.kind === 'convention') return conventionWords(operand, kind)
  const ragged = DIMENSIONS.filter((dimension) =>
    [before, after].some((side) => trips(side, dimension) > extentOf(problem, dimension)),
  )
  const overlaps = operand === 'inputs' && (windowed(problem.P, problem.R) || windowed(problem.Q, problem.S))
  const reasons = [
    overlaps ? 'windows overlap in other places between steps or neighbours' : '',
    ragged.length > 0 ? `the last tile of ${ragged.join(', ')} is a part` : '',
  ].filter((reason) => reason !== '')
  return reasons.join('; ')
}

function conventionWords(operand: Operand, kind: AccessKind): string {
  if (operand === 'inputs') return 'Timeloop credits an overlap only where the sliding loop is the innermost of its level'
  if (operand === 'outputs' && kind === 'fills') return 'Timeloop fills each child that reduces a partial sum, exact mode one'
  return 'counted by another convention'
}

const windowed = (outputs: number, filter: number): boolean => outputs > 1 && filter > 1

function trips({ mapping }: Side, dimension: (typeof DIMENSIONS)[number]): number {
  return mapping.levels
    .flatMap((level) => [...loopsAt(level, 'temporal'), ...loopsAt(level, 'x'), ...loopsAt(level, 'y')])
    .reduce((count, [name, bound]) => (name === dimension ? count * bound : count), 1)
}

/** Of the network below a level: how far partial sums travel, and who hands words on. */
export function networkChanges(operand: Operand, level: number, before: Side, after: Side): string {
  const along = ({ mapping }: Side): string => {
    const found = mapping.levels.slice(level).flatMap((entry) =>
      (['x', 'y'] as const).flatMap((axis) =>
        loopsAt(entry, axis)
          .filter(([dimension]) => (operand === 'outputs' && REDUCTION.includes(dimension)) || entry.forward?.[operand] === axis)
          .map(([dimension, bound]) => `${dimension} ${bound} over ${placeName(entry.name, axis)}`),
      ),
    )
    return found.join(', ') || 'nothing'
  }
  const [from, to] = [along(before), along(after)]
  const verb = operand === 'outputs' ? 'partial sums are added up over' : 'words are handed on over'
  return from === to ? '' : `${verb} ${to} instead of ${from}`
}
