/** What the figures are made of: one cell for each layer and dataflow, and sums of cells. */
import type { Searched } from '../../schedule/mapper.ts'
import type { Mapping } from '../../schedule/mapping.ts'
import { addEnergies, type Breakdown } from './energy.ts'
import type { Compared } from './equal-area.ts'
import { alexnetLayers, type Kind } from './layers.ts'

/** The energy of one layer under one dataflow. */
export interface Charged {
  readonly layer: string
  readonly kind: Kind
  readonly dataflow: Compared
  readonly macs: number
  readonly energy: Breakdown
}

/** One layer under one dataflow, as mapped here. */
export interface Cell extends Charged {
  /** Words read from and written to DRAM. */
  readonly dram: number
  readonly utilization: number
  readonly mapping: Mapping
  /** How the mapping was found. */
  readonly searched: Pick<Searched, 'seen' | 'total' | 'exhaustive'>
}

export interface Total {
  readonly macs: number
  readonly energy: Breakdown
}

export function totalOfCells(cells: readonly Charged[]): Total {
  return {
    macs: cells.reduce((sum, { macs }) => sum + macs, 0),
    energy: addEnergies(cells.map(({ energy }) => energy)),
  }
}

/** The layers of a kind under a dataflow together; undefined while one is missing. */
export function sumOf(cells: readonly Charged[], dataflow: Compared, kind: Kind): Total | undefined {
  const found = cells.filter((cell) => cell.dataflow === dataflow && cell.kind === kind)
  return found.length === LAYERS_OF[kind] ? totalOfCells(found) : undefined
}

const LAYERS_OF: Readonly<Record<Kind, number>> = {
  conv: alexnetLayers(1).filter(({ kind }) => kind === 'conv').length,
  fc: alexnetLayers(1).filter(({ kind }) => kind === 'fc').length,
}
