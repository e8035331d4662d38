/**
 * The counts of one evaluation as a flat array, and prices as another of the same form: energy is their scalar product. Think of
 * it as a bill: one line for each level, operand and kind of access.
 */
import type { Operand } from '../schedule/problem.ts'
import { OPERANDS } from '../schedule/problem.ts'

/**
 * reads, fills, updates: accesses of the level (see `evaluate.ts`). hops: words handed over or added up between neighbours in the
 * level's fan-out. deliveries: words that each child which gets its operand from this level receives, every copy counted (for
 * outputs: partial sums that each child sends up); the ISCA 2016 convention charges these to the network.
 */
export const KINDS = ['reads', 'fills', 'updates', 'hops', 'deliveries'] as const
export type Kind = (typeof KINDS)[number]

export const READS = 0
export const FILLS = 1
export const UPDATES = 2
export const HOPS = 3
export const DELIVERIES = 4

/** Where the count of a level, operand (index into OPERANDS) and kind (index into KINDS) lies. */
export function cell(level: number, operand: number, kind: number): number {
  return (level * OPERANDS.length + operand) * KINDS.length + kind
}

export function tallyLength(levels: number): number {
  return levels * OPERANDS.length * KINDS.length
}

/** A count by names, for code that is read more often than run. */
export function countOf(tally: Float64Array, level: number, operand: Operand, kind: Kind): number {
  return tally[cell(level, OPERANDS.indexOf(operand), KINDS.indexOf(kind))] ?? 0
}
