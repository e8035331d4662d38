/** The result of a run: the JSON that `tilewright figures` writes and its page draws. */
import type { Convention } from '../../cost/prices.ts'
import type { Cell, Charged } from './cells.ts'
import type { Claim } from './claims.ts'
import type { Stay } from './dataflows.ts'
import type { Compared } from './equal-area.ts'

export const FIGURES_SCHEMA = 'tilewright.figures/1'

export const FIGURE_NAMES = ['33', '34', '35', 'all'] as const
export type FigureName = (typeof FIGURE_NAMES)[number]

/** The storage of a dataflow's design. */
export interface Design {
  readonly dataflow: Compared
  readonly rf_bytes: number
  readonly buffer_bytes: number
  /** What a register file is for. */
  readonly stores: string
}

export interface Settings {
  readonly figure: FigureName
  readonly batch: number
  readonly convention: Convention
  /** How long a stationary operand stays (`dataflows.ts`). */
  readonly stationary: Stay
  readonly budget: number
  readonly seed: number
}

export interface Figures extends Settings {
  readonly schema: typeof FIGURES_SCHEMA
  /** False where it was stopped: cells are missing. */
  readonly complete: boolean
  readonly designs: readonly Design[]
  readonly cells: readonly Cell[]
  /** The same layers and dataflows by the authors' formulas. */
  readonly published: readonly Charged[]
  readonly claims: readonly Claim[]
  /** Where and how long it ran: the one part that differs from run to run. */
  readonly run?: Run
}

export interface Run {
  readonly date: string
  readonly seconds: number
  readonly workers: number
  readonly machine: string
}
