/**
 * How a problem is laid over a hardware: for each level the order and bounds of its temporal loops, its spatial split to the
 * next level, and which operands it keeps. Loops run from the outermost in; a level's own loops are inside its tile.
 */
import type { Hardware } from './hardware.ts'
import type { Dimension, Operand } from './problem.ts'

export type Loop = readonly [dimension: Dimension, bound: number]

export interface MappingLevel {
  readonly name: string
  readonly temporal: readonly Loop[]
  readonly spatial?: { readonly x?: readonly Loop[]; readonly y?: readonly Loop[] }
  /** Absent: all that the hardware's level holds. The outermost level keeps all. */
  readonly keep?: readonly Operand[]
  /** A word that the neighbour along an axis held in the previous step is a hop, not a parent read. */
  readonly forward?: Partial<Readonly<Record<Operand, 'x' | 'y'>>>
}

export interface Mapping {
  readonly levels: readonly MappingLevel[]
}

/** @param hardware says what a level keeps that names nothing; absent: everything */
export function keeps(mapping: Mapping, level: number, operand: Operand, hardware?: Hardware): boolean {
  return level === 0 || (mapping.levels[level]?.keep ?? hardware?.levels[level]?.holds ?? [operand]).includes(operand)
}
