/**
 * A dataflow read for one hardware: what each level may loop over, spread, keep, forward, and in which order. Think of it as the
 * constraint's house rules, room by room. The register file is the innermost level, the buffer every level between it and the
 * outermost one.
 */
import type { Dataflow } from '../dataflow.ts'
import { fanoutOf, type Hardware } from '../hardware.ts'
import { DIMENSIONS, OPERANDS, type Dimension, type Operand } from '../problem.ts'

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
  /** Operands (bits) that its fan-out may hand on along x: inputs, where it multicasts, for the rest is read once for all. */
  readonly forward: number
}

const INPUTS = bits(['inputs'])
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
      forward: room.x > 1 && halo === 'exact' ? bits(dataflow.forward ?? []) & (level.multicast === false ? 7 : INPUTS) : 0,
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

/** The level whose fan-out is the array: the innermost one that fans out (the one above the innermost where none does). */
export function arrayLevel(hardware: Hardware): number {
  for (let index = hardware.levels.length - 1; index >= 0; index--) {
    const { x, y } = fanoutOf(hardware, index)
    if (x * y > 1) return index
  }
  return Math.max(0, hardware.levels.length - 2)
}
