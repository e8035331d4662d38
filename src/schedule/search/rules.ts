/**
 * A dataflow read for one hardware: what each level may loop over, spread, keep, forward, and in which order. Think of it as the
 * constraint's house rules, room by room. The register file is the innermost level, the buffer every level between it and the
 * outermost one.
 */
import type { Dataflow } from '../dataflow.ts'
import { fanoutOf, type Hardware } from '../hardware.ts'
import { keeps, type Loop, type Mapping } from '../mapping.ts'
import { DIMENSIONS, OPERANDS, extentOf, type Dimension, type Operand, type Problem } from '../problem.ts'

export interface LevelRule {
  readonly name: string
  /** Dimensions that may loop in time, or be spread along an axis. */
  readonly temporal: ReadonlySet<Dimension>
  readonly x: ReadonlySet<Dimension>
  readonly y: ReadonlySet<Dimension>
  /** Instances of the next level along each axis. */
  readonly room: { readonly x: number; readonly y: number }
  /** Group of each dimension (by index into DIMENSIONS): a loop never runs outside one of a smaller group. */
  readonly rank: Uint8Array
  /** Whether the order of the level's loops can change a count. */
  readonly ordered: boolean
  /** Operands (bit i for operand i of OPERANDS) that it keeps, and that it may keep or not. */
  readonly must: number
  readonly may: number
  /** Operands (bits) that its fan-out may hand on along x. */
  readonly forward: number
}

const ALL: ReadonlySet<Dimension> = new Set(DIMENSIONS)
const NONE: ReadonlySet<Dimension> = new Set()

/** @param halo forwarding is counted in exact mode alone */
export function rulesOf(hardware: Hardware, dataflow: Dataflow, halo: 'exact' | 'timeloop' = 'exact'): LevelRule[] {
  const last = hardware.levels.length - 1
  const rules = hardware.levels.map((level, index): LevelRule => {
    const own = dataflow.levels?.[level.name]
    const isRegisters = index === last && index > 0
    const part = isRegisters ? 'registers' : 'buffer'
    const room = fanoutOf(hardware, index)
    const isSpread = room.x * room.y > 1
    const able = ableOf(hardware, index)
    const free = bits(own?.optional ?? (own?.keep === undefined ? (dataflow.optional?.[part] ?? []) : []))
    const kept = bits(own?.keep ?? dataflow.keep[part])
    // Loops at a level without storage are those of the level above it.
    const isStore = index === 0 || able !== 0
    const temporal = own?.temporal !== undefined ? new Set(own.temporal) : isRegisters ? new Set(dataflow.registers) : ALL
    return {
      name: level.name,
      temporal: isStore ? temporal : NONE,
      x: isSpread ? new Set(own?.spatial?.x ?? dataflow.spatial.x) : NONE,
      y: isSpread ? new Set(own?.spatial?.y ?? dataflow.spatial.y) : NONE,
      room,
      rank: ranksOf(own?.order ?? (index === last - 1 ? (dataflow.order ?? dataflow.innermost.map((name) => [name])) : [])),
      ordered: true,
      must: index === 0 ? 7 : kept & ~free & able,
      may: index === 0 ? 0 : free & able,
      forward: room.x > 1 && halo === 'exact' ? bits(dataflow.forward ?? []) : 0,
    }
  })
  // Only a level further in that holds something, or a neighbour that hands on, remembers what came before.
  return rules.map((rule, index) => ({
    ...rule,
    ordered: rules.some((inner, below) => (below > index && (inner.must | inner.may) !== 0) || inner.forward !== 0),
  }))
}

/** Operands that a level has room for at all. */
function ableOf(hardware: Hardware, index: number): number {
  const level = hardware.levels[index]
  if (index === 0) return 7
  return level === undefined || level.words === 0 ? 0 : bits(level.holds ?? OPERANDS)
}

function bits(operands: readonly Operand[]): number {
  return operands.reduce((sum, operand) => sum | (1 << OPERANDS.indexOf(operand)), 0)
}

function ranksOf(groups: readonly (readonly Dimension[])[]): Uint8Array {
  const ranks = new Uint8Array(DIMENSIONS.length)
  for (const [index, group] of groups.entries()) for (const name of group) ranks[DIMENSIONS.indexOf(name)] = index + 1
  return ranks
}

/**
 * In what a mapping departs from a dataflow, as the mapper reads it, one sentence each; empty where it follows it. Spatial splits
 * are held to each axis's own fan-out.
 */
export function departures(problem: Problem, hardware: Hardware, mapping: Mapping, dataflow: Dataflow): string[] {
  const found: string[] = []
  for (const [index, rule] of rulesOf(hardware, dataflow).entries()) {
    const level = mapping.levels[index]
    if (level === undefined) continue
    const loops = level.temporal.filter(([, bound]) => bound > 1)
    for (const [name] of loops) if (!rule.temporal.has(name)) found.push(`${rule.name} loops over ${name}`)
    for (const axis of ['x', 'y'] as const) {
      const split = (level.spatial?.[axis] ?? []).filter(([, bound]) => bound > 1)
      for (const [name] of split) if (!rule[axis].has(name)) found.push(`${rule.name} spreads ${name} along ${axis}`)
      const taken = split.reduce((product, [, bound]) => product * bound, 1)
      if (taken > rule.room[axis]) found.push(`${rule.name} takes ${taken} along ${axis}, which has ${rule.room[axis]}`)
    }
    if (rule.ordered) found.push(...disorder(rule, loops))
    for (const [at, operand] of OPERANDS.entries()) {
      const bit = 1 << at
      const kept = keeps(mapping, index, operand)
      if (kept && index > 0 && ((rule.must | rule.may) & bit) === 0) found.push(`${rule.name} keeps ${operand}`)
      if (!kept && (rule.must & bit) !== 0) found.push(`${rule.name} does not keep ${operand}`)
      const axis = level.forward?.[operand]
      if (axis !== undefined && (axis !== 'x' || (rule.forward & bit) === 0))
        found.push(`${rule.name} forwards ${operand} along ${axis}`)
    }
  }
  for (const name of dataflow.whole ?? []) {
    if (!isWhole(problem, hardware, mapping, name)) found.push(`${name} does not run whole inside the array`)
  }
  return found
}

function disorder(rule: LevelRule, loops: readonly Loop[]): string[] {
  const found: string[] = []
  for (const [at, [inner]] of loops.entries()) {
    const outer = loops[at - 1]?.[0]
    if (outer !== undefined && rankOf(rule, outer) > rankOf(rule, inner)) found.push(`${rule.name} runs ${inner} under ${outer}`)
  }
  return found
}

function rankOf(rule: LevelRule, name: Dimension): number {
  return rule.rank[DIMENSIONS.indexOf(name)] ?? 0
}

/** Whether no loop above the array splits a dimension that the array (the innermost fan-out and what is below) has room for. */
function isWhole(problem: Problem, hardware: Hardware, mapping: Mapping, name: Dimension): boolean {
  const from = arrayLevel(hardware)
  let inside = 1
  for (const [index, level] of mapping.levels.entries()) {
    const count = (loops: readonly Loop[] = []): void => {
      for (const [dimension, bound] of loops) if (dimension === name) inside *= bound
    }
    if (index > from) count(level.temporal)
    if (index >= from) {
      count(level.spatial?.x)
      count(level.spatial?.y)
    }
  }
  const { x, y } = fanoutOf(hardware, from)
  return inside >= extentOf(problem, name) || inside * 2 > Math.max(x, y)
}

/** The level whose fan-out is the array: the innermost one that fans out (the one above the innermost where none does). */
export function arrayLevel(hardware: Hardware): number {
  for (let index = hardware.levels.length - 1; index >= 0; index--) {
    const { x, y } = fanoutOf(hardware, index)
    if (x * y > 1) return index
  }
  return Math.max(0, hardware.levels.length - 2)
}
