/** What `tilewright map` found, as tables for people and as CSV. */
import type { Evaluation } from '../../cost/evaluation.ts'
import type { MapOutcome } from '../../schedule/search/many.ts'
import type { Hardware } from '../../schedule/hardware.ts'
import { macsOf, type Problem } from '../../schedule/problem.ts'
import type { Colors } from '../context.ts'
import { grouped, short, table, type Column } from '../table.ts'

/** One search: a layer under a dataflow on a hardware. */
export interface Row {
  readonly layer: string
  readonly dataflow: string
  /** Swept values by field. */
  readonly at: Readonly<Record<string, number>>
  readonly problem: Problem
  readonly hardware: Hardware
  readonly outcome: MapOutcome
  /** Energy, EDP or cycles over those of the best unconstrained mapping, as the objective says; absent where that was not searched. */
  readonly ratio?: number
}

export type RowObjective = 'energy' | 'edp' | 'latency'

/** The objective's figure of a row; undefined where nothing was found. */
export function figureOf({ outcome }: Pick<Row, 'outcome'>, objective: RowObjective): number | undefined {
  const evaluation = outcome.result?.evaluation
  if (evaluation === undefined) return undefined
  const { energy, cycles } = evaluation
  return objective === 'energy' ? energy.total : objective === 'edp' ? energy.total * cycles : cycles
}

/** How many searches ran, and how many did not because they were stopped before: `3 searches (stopped before 5 searches)`. */
export function ranTitle(rows: readonly Row[]): string {
  const never = rows.filter(neverRan).length
  const ran = rows.length - never
  return `${searches(ran)}${never === 0 ? '' : ` (stopped before ${searches(never)})`}`
}

/** The noun for so many. */
export function mappings(count: number): string {
  return count === 1 ? 'mapping' : 'mappings'
}

function searches(count: number): string {
  return `${count} ${count === 1 ? 'search' : 'searches'}`
}

/** Stopped before it saw a mapping. */
function neverRan({ outcome }: Row): boolean {
  return outcome.result === undefined && outcome.error === undefined
}

const RIGHT = { align: 'right' } as const
const ZERO_COLUMNS: readonly Column[] = [
  { title: 'Energy, zeros', ...RIGHT },
  { title: 'Cycles, zeros', ...RIGHT },
]

/** Whether there are zeros, for columns of their own. */
function haveZeros(rows: readonly Row[]): boolean {
  return rows.some(({ outcome }) => outcome.result?.evaluation.sparse !== undefined)
}

export function renderRows(rows: readonly Row[], colors: Colors): string {
  const hasZeros = haveZeros(rows)
  const fields = Object.keys(rows[0]?.at ?? {})
  const columns: Column[] = [
    ...fields.map((title) => ({ title, ...RIGHT })),
    { title: 'Layer' },
    { title: 'Dataflow' },
    { title: 'Energy', ...RIGHT },
    { title: 'per MAC', ...RIGHT },
    { title: 'EDP', ...RIGHT },
    { title: 'Cycles', ...RIGHT },
    { title: 'Utilisation', ...RIGHT },
    { title: '× best', ...RIGHT },
    { title: 'Seen', ...RIGHT },
    { title: 'Space', ...RIGHT },
    ...(hasZeros ? ZERO_COLUMNS : []),
  ]
  return table(
    columns,
    rows.map(({ at, layer, dataflow, outcome, ratio }) => {
      const head = [...fields.map((field) => String(at[field] ?? '')), layer, dataflow]
      const { result, error } = outcome
      if (result === undefined)
        return [...head, error === undefined ? 'stopped' : 'none fits', ...Array<string>(hasZeros ? 9 : 7).fill('')]
      const { energy, cycles, utilization, macs, sparse } = result.evaluation
      return [
        ...head,
        short(energy.total),
        (energy.total / macs).toPrecision(3),
        scientific(energy.total * cycles),
        grouped(cycles),
        `${(100 * utilization).toPrecision(3)} %`,
        ratio === undefined ? '' : ratio.toFixed(3),
        short(result.searched.seen),
        result.searched.exhaustive ? 'all' : scientific(result.searched.total),
        ...(sparse === undefined ? [] : [short(sparse.energy.total), grouped(sparse.cycles)]),
      ]
    }),
    colors,
  )
}

/** Sums over the layers, a row for each dataflow and swept point; absent where there is one layer. */
export function renderTotals(rows: readonly Row[], objective: RowObjective, colors: Colors): string | undefined {
  if (new Set(rows.map(({ layer }) => layer)).size < 2) return undefined
  const hasZeros = haveZeros(rows)
  const fields = Object.keys(rows[0]?.at ?? {})
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const key = JSON.stringify([row.at, row.dataflow])
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  const sums = [...groups.values()].map((group) => {
    const evaluations = group.flatMap(({ outcome }) => (outcome.result === undefined ? [] : [outcome.result.evaluation]))
    const sumOf = (figure: (evaluation: Evaluation) => number): number =>
      evaluations.reduce((sum, evaluation) => sum + figure(evaluation), 0)
    const energy = sumOf((evaluation) => evaluation.energy.total)
    const cycles = sumOf((evaluation) => evaluation.cycles)
    const macs = sumOf((evaluation) => evaluation.macs)
    const zeros = {
      energy: sumOf(({ sparse }) => sparse?.energy.total ?? NaN),
      cycles: sumOf(({ sparse }) => sparse?.cycles ?? NaN),
    }
    const [first] = group
    return {
      at: first?.at ?? {},
      dataflow: first?.dataflow ?? '',
      energy,
      cycles,
      macs,
      zeros,
      missing: group.length - evaluations.length,
      never: group.filter(neverRan).length,
    }
  })
  const best = (at: Row['at']) => sums.find((sum) => sum.dataflow === 'none' && JSON.stringify(sum.at) === JSON.stringify(at))
  const columns: Column[] = [
    ...fields.map((title) => ({ title, ...RIGHT })),
    { title: 'All layers' },
    { title: 'Energy', ...RIGHT },
    { title: 'per MAC', ...RIGHT },
    { title: 'Cycles', ...RIGHT },
    { title: '× best', ...RIGHT },
    ...(hasZeros ? ZERO_COLUMNS : []),
  ]
  const blank = Array<string>(hasZeros ? 5 : 3).fill('')
  const figure = ({ energy, cycles }: { energy: number; cycles: number }): number =>
    objective === 'energy' ? energy : objective === 'edp' ? energy * cycles : cycles
  return table(
    columns,
    sums.map((sum) => {
      const head = [...fields.map((field) => String(sum.at[field] ?? '')), sum.dataflow]
      if (sum.never > 0) return [...head, `stopped before ${searches(sum.never)}`, ...blank]
      if (sum.missing > 0) return [...head, `${sum.missing} ${sum.missing === 1 ? 'layer' : 'layers'} without a mapping`, ...blank]
      const reference = best(sum.at)
      return [
        ...head,
        short(sum.energy),
        (sum.energy / sum.macs).toPrecision(3),
        grouped(sum.cycles),
        reference === undefined || reference.missing > 0 ? '' : (figure(sum) / figure(reference)).toFixed(3),
        ...(hasZeros ? [short(sum.zeros.energy), grouped(sum.zeros.cycles)] : []),
      ]
    }),
    colors,
  )
}

function scientific(value: number): string {
  return value < 1e6 ? grouped(value) : value.toExponential(2).replace('e+', 'e')
}

/** One line a row, with a head; what was not found has its reason under `error`. */
export function csvOf(rows: readonly Row[], objective: RowObjective): string {
  const hasZeros = haveZeros(rows)
  const fields = Object.keys(rows[0]?.at ?? {})
  const head = [
    ...fields,
    'layer',
    'dataflow',
    'hardware',
    'objective',
    'macs',
    'energy',
    'energy_per_mac',
    'edp',
    'cycles',
    'utilization',
    'over_unconstrained',
    'seen',
    'total',
    'exhaustive',
    'error',
    ...(hasZeros ? ['energy_zeros', 'cycles_zeros'] : []),
  ]
  const lines = rows.map(({ at, layer, dataflow, hardware, problem, outcome, ratio }) => {
    const { result, error } = outcome
    const figures =
      result === undefined
        ? [macsOf(problem), '', '', '', '', '', '', '', '', '', error?.message ?? 'stopped before it began']
        : [
            result.evaluation.macs,
            result.evaluation.energy.total,
            result.evaluation.energy.total / result.evaluation.macs,
            result.evaluation.energy.total * result.evaluation.cycles,
            result.evaluation.cycles,
            result.evaluation.utilization,
            ratio ?? '',
            result.searched.seen,
            result.searched.total,
            result.searched.exhaustive,
            '',
          ]
    const sparse = result?.evaluation.sparse
    const zeros = hasZeros ? [sparse?.energy.total ?? '', sparse?.cycles ?? ''] : []
    return [...fields.map((field) => at[field] ?? ''), layer, dataflow, hardware.name, objective, ...figures, ...zeros]
  })
  return [head, ...lines].map((line) => `${line.map(cell).join(',')}\n`).join('')
}

/**
 * A field as RFC 4180 has it: quoted where it holds a comma, a quote or a line break. Text that a spreadsheet would run as a formula
 * has an apostrophe before it; numbers stay as they are.
 */
function cell(value: string | number | boolean): string {
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
