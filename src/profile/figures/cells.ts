/** What the figures are made of: one cell for each layer and dataflow, and sums of cells. */
import type { Searched } from '../../schedule/mapper.ts'
import type { Mapping } from '../../schedule/mapping.ts'
import { addEnergies, type Breakdown } from './energy.ts'
import type { Compared } from './equal-area.ts'
import { alexnetLayers, type Kind } from './layers.ts'

/** One layer under one dataflow. */
export interface Cell {
  readonly layer: string
  readonly kind: Kind
  readonly dataflow: Compared
  readonly macs: number
  readonly energy: Breakdown
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
  readonly dram: number
}

export function totalOfCells(cells: readonly Cell[]): Total {
  return {
    macs: cells.reduce((sum, { macs }) => sum + macs, 0),
    energy: addEnergies(cells.map(({ energy }) => energy)),
    dram: cells.reduce((sum, { dram }) => sum + dram, 0),
  }
}

/** The layers of a kind under a dataflow together; undefined while one is missing. */
export function sumOf(cells: readonly Cell[], dataflow: Compared, kind: Kind): Total | undefined {
  const found = cells.filter((cell) => cell.dataflow === dataflow && cell.kind === kind)
  return found.length === LAYERS_OF[kind] ? totalOfCells(found) : undefined
}

const LAYERS_OF: Readonly<Record<Kind, number>> = {
  conv: alexnetLayers(1).filter(({ kind }) => kind === 'conv').length,
  fc: alexnetLayers(1).filter(({ kind }) => kind === 'fc').length,
}
