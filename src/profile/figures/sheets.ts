/** The figures as rows of numbers, for tables, CSV and charts alike: energies per MAC, in the unit of one MAC. */
import { OPERANDS, type Operand } from '../../schedule/problem.ts'
import { sumOf, totalOfCells, type Cell, type Charged, type Total } from './cells.ts'
import { operandOf, partOf, PARTS, totalOf, type Part } from './energy.ts'
import { COMPARED, type Compared } from './equal-area.ts'
import { alexnetLayers, type Kind } from './layers.ts'

export interface SheetRow {
  /** A dataflow, or a layer in Fig. 35. */
  readonly name: string
  /** Energy per MAC. */
  readonly parts: Readonly<Record<Part, number>>
  readonly operands: Readonly<Record<Operand, number>>
  readonly total: number
  /** Times what row stationary needs; absent where that is missing. */
  readonly toRs?: number
  /** Of the energy of the whole network. */
  readonly share?: number
}

/** Fig. 33 (`conv`) or 34 (`fc`): one row for each dataflow whose layers are all there. */
export function comparison(cells: readonly Charged[], kind: Kind): SheetRow[] {
  const rs = sumOf(cells, 'rs', kind)
  return COMPARED.flatMap((dataflow) => {
    const sum = sumOf(cells, dataflow, kind)
    if (sum === undefined) return []
    const row = rowOf(dataflow, sum)
    return rs === undefined ? [row] : [{ ...row, toRs: row.total / (totalOf(rs.energy) / rs.macs) }]
  })
}

/** Fig. 35: one row for each layer under a dataflow, then all CONV and all FC layers where they are all there. */
export function byLayer(cells: readonly Charged[], dataflow: Compared = 'rs'): SheetRow[] {
  const own = cells.filter((cell) => cell.dataflow === dataflow)
  const whole = own.length === alexnetLayers(1).length ? totalOfCells(own) : undefined
  const withShare = (row: SheetRow, macs: number): SheetRow =>
    whole === undefined ? row : { ...row, share: (row.total * macs) / totalOf(whole.energy) }
  const layers = own.map((cell) => withShare(rowOf(cell.layer, totalOfCells([cell])), cell.macs))
  const kinds = (['conv', 'fc'] as const).flatMap((kind) => {
    const sum = sumOf(cells, dataflow, kind)
    return sum === undefined ? [] : [withShare(rowOf(`all ${kind.toUpperCase()}`, sum), sum.macs)]
  })
  return [...layers, ...kinds]
}

/** Each layer under each dataflow by itself: what there is to show of a run that was stopped. */
export function singly(cells: readonly Charged[]): SheetRow[] {
  return cells.map((cell) => rowOf(`${cell.dataflow} ${cell.layer}`, totalOfCells([cell])))
}

function rowOf(name: string, { macs, energy }: Total): SheetRow {
  const part = (which: Part): number => partOf(energy, which) / macs
  const operand = (which: Operand): number => operandOf(energy, which) / macs
  return {
    name,
    parts: { ALU: part('ALU'), DRAM: part('DRAM'), buffer: part('buffer'), array: part('array'), RF: part('RF') },
    operands: { weights: operand('weights'), inputs: operand('inputs'), outputs: operand('outputs') },
    total: totalOf(energy) / macs,
  }
}

/** Every cell, part and operand as CSV: energy in MACs. */
export function figuresCsv(cells: readonly Cell[]): string {
  const lines = cells.flatMap(({ layer, kind, dataflow, macs, energy, dram, utilization }) => {
    const head = [layer, kind, dataflow, macs]
    const tail = [dram, utilization]
    return PARTS.flatMap((part) =>
      part === 'ALU'
        ? [[...head, part, '', energy.alu, ...tail]]
        : OPERANDS.map((operand) => [...head, part, operand, energy.moved[part][operand], ...tail]),
    )
  })
  return [['layer', 'kind', 'dataflow', 'macs', 'part', 'operand', 'energy', 'dram_words', 'utilization'], ...lines]
    .map((line) => `${line.join(',')}\n`)
    .join('')
}
