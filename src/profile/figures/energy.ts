/** Where the energy of a mapping goes: by part of the chip, and within each part by operand. */
import { OPERANDS, type Operand } from '../../schedule/problem.ts'

/** As the survey stacks them. `array` is the network between PEs. */
export const PARTS = ['ALU', 'DRAM', 'buffer', 'array', 'RF'] as const
export type Part = (typeof PARTS)[number]

/** Parts that move data. */
export const MOVING = ['DRAM', 'buffer', 'array', 'RF'] as const
export type Moving = (typeof MOVING)[number]

/** Energies in the hardware's unit. */
export interface Breakdown {
  readonly alu: number
  readonly moved: Readonly<Record<Moving, Readonly<Record<Operand, number>>>>
}

/** Nothing moved yet. */
export function nothing(): Record<Moving, Record<Operand, number>> {
  const none = () => ({ weights: 0, inputs: 0, outputs: 0 })
  return { DRAM: none(), buffer: none(), array: none(), RF: none() }
}

export function partOf({ alu, moved }: Breakdown, part: Part): number {
  return part === 'ALU' ? alu : OPERANDS.reduce((sum, operand) => sum + moved[part][operand], 0)
}

export function operandOf({ moved }: Breakdown, operand: Operand): number {
  return MOVING.reduce((sum, part) => sum + moved[part][operand], 0)
}

export function totalOf(energy: Breakdown): number {
  return PARTS.reduce((sum, part) => sum + partOf(energy, part), 0)
}

export function addEnergies(list: readonly Breakdown[]): Breakdown {
  const moved = nothing()
  for (const part of MOVING) {
    for (const operand of OPERANDS) {
      moved[part][operand] = list.reduce((sum, { moved: one }) => sum + one[part][operand], 0)
    }
  }
  return { alu: list.reduce((sum, { alu }) => sum + alu, 0), moved }
}
