/** Every figure of the report as text: results, energy, accesses, counts, and rows that were skipped with their reason. */
import { OPERANDS } from '../../schedule/problem.ts'
import { configText, type ProfileReport } from '../report.ts'
import type { Row } from './data.ts'
import { accessesOf, energyUnit, figuresOf, levelsOf } from './data.ts'
import { h } from './dom.ts'
import { error, fixed, integer, percent } from './format.ts'
import { chip, failureOf } from './header.ts'
import { colour, dataflowSwatch } from './palette.ts'
import type { Column } from './table.ts'
import { table } from './table.ts'

const STATUS = { ok: '✓ verified', failed: '✗ failed', unchecked: 'not compared', skipped: 'skipped' } as const

interface HasRow {
  readonly row: Row
}

function leading<T extends HasRow>(): Column<T>[] {
  return [
    { label: 'Layer', value: ({ row }) => row.layer, head: true },
    {
      label: 'Dataflow',
      value: ({ row }) => row.dataflow,
      show: ({ row }) =>
        h(
          'span',
          { class: 'tw-nowrap', title: dataflowSwatch(row.dataflow).label },
          chip(colour(dataflowSwatch(row.dataflow))),
          row.dataflow,
        ),
    },
  ]
}

const rowClass = ({ row }: HasRow) =>
  row.status === 'failed' ? 'tw-bad-row' : row.status === 'skipped' ? 'tw-pale-row' : undefined

/** One number of decimals for a column: what its largest figures need for four digits, and at least three. */
function suited(values: readonly (number | undefined)[]): (value: number) => string {
  const most = Math.max(1e-9, ...values.map((value) => value ?? 0))
  return fixed(Math.min(6, Math.max(3, 3 - Math.floor(Math.log10(most)))))
}

export function resultTable(rows: readonly Row[]): HTMLElement {
  return table<HasRow>({
    caption: 'Results, row by row',
    rows: rows.map((row) => ({ row })),
    rowClass,
    columns: [
      ...leading<HasRow>(),
      {
        label: 'Check',
        title: 'Against the CPU reference, and counted against predicted',
        value: ({ row }) => STATUS[row.status],
        show: ({ row }) =>
          h(
            'span',
            { class: `tw-status tw-status-${row.status}`, title: row.status === 'failed' ? failureOf(row) : row.result.skipped },
            STATUS[row.status],
          ),
      },
      {
        label: 'Time',
        unit: 'ms\nmeasured',
        value: ({ row }) => row.result.time_ms,
        format: suited(rows.map(({ result }) => result.time_ms)),
      },
      {
        label: 'Rate',
        unit: 'GFLOP/s\nmeasured',
        value: ({ row }) => row.result.gflops,
        format: suited(rows.map(({ result }) => result.gflops)),
      },
      { label: 'Of roof', unit: 'measured', value: ({ row }) => row.result.roofline?.share, format: percent },
      { label: 'MACs', unit: 'millions', value: ({ row }) => row.macs / 1e6, format: fixed(3) },
      { label: 'Energy', unit: 'millions\nmodelled', value: ({ row }) => energy(row, 1e6), format: fixed(3) },
      { label: 'Per MAC', unit: 'energy\nmodelled', value: ({ row }) => energy(row, row.macs), format: fixed(3) },
      { label: 'Utilisation', unit: 'modelled', value: ({ row }) => row.result.predicted?.utilization, format: percent },
      { label: 'Cycles', unit: 'modelled', value: ({ row }) => row.result.predicted?.cycles, format: integer },
      { label: 'Error', unit: 'largest\nmeasured', value: ({ row }) => row.result.max_error, format: error },
      { label: 'Of bound', unit: 'verified\nto 1', value: ({ row }) => row.result.max_error_ratio, format: fixed(4) },
    ],
  })
}

function energy({ result }: Row, scale: number): number | undefined {
  return result.predicted === undefined ? undefined : result.predicted.energy.total / scale
}

export function energyTable(report: ProfileReport, rows: readonly Row[]): HTMLElement {
  const unit = `millions of ${energyUnit(report).short}`
  const evaluated = rows.filter(({ result }) => result.predicted !== undefined).map((row) => ({ row }))
  const column = (label: string, value: (row: Row) => number | undefined): Column<HasRow> => ({
    label,
    value: ({ row }) => {
      const found = value(row)
      return found === undefined ? undefined : found / 1e6
    },
    format: fixed(3),
  })
  return table<HasRow>({
    caption: `Modelled energy, ${unit}`,
    rows: evaluated,
    rowClass,
    columns: [
      ...leading<HasRow>(),
      column('Total', ({ result }) => result.predicted?.energy.total),
      ...levelsOf(rows).map((level) => column(level, ({ result }) => result.predicted?.energy.levels[level])),
      column('Network', ({ result }) => result.predicted?.energy.network),
      column('MAC', ({ result }) => result.predicted?.energy.mac),
      ...OPERANDS.map((operand) => column(capital(operand), ({ result }) => result.predicted?.energy.per_operand[operand])),
    ],
  })
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

interface AccessLine extends HasRow {
  readonly level: string
  readonly operand: string
  readonly reads: number
  readonly fills: number
  readonly updates: number
}

export function accessTable(rows: readonly Row[]): HTMLElement {
  const levels = levelsOf(rows)
  const lines = rows.flatMap((row): AccessLine[] => {
    const { predicted } = row.result
    return predicted === undefined
      ? []
      : levels.flatMap((level) => accessesOf(predicted, level).map((found) => ({ row, level, ...found })))
  })
  return table<AccessLine>({
    caption: 'Modelled accesses, words over all instances of a level',
    rows: lines,
    rowClass,
    columns: [
      ...leading<AccessLine>(),
      { label: 'Level', value: ({ level }) => level },
      { label: 'Operand', value: ({ operand }) => operand },
      { label: 'Reads', value: ({ reads }) => reads, format: integer },
      { label: 'Fills', value: ({ fills }) => fills, format: integer },
      { label: 'Updates', value: ({ updates }) => updates, format: integer },
      { label: 'Reads / MAC', value: ({ reads, row }) => reads / row.macs, format: fixed(4) },
    ],
  })
}

interface CountLine extends HasRow {
  readonly what: string
  readonly predicted: number
  readonly counted: number
}

export function countTable(rows: readonly Row[]): HTMLElement {
  const lines = rows.flatMap((row): CountLine[] => figuresOf(row.result).map((count) => ({ row, ...count })))
  const differs = ({ predicted, counted }: CountLine) => predicted !== counted
  return table<CountLine>({
    caption: 'Accesses issued by the kernels: predicted, and counted as they ran',
    rows: [...lines.filter(differs), ...lines.filter((line) => !differs(line))],
    rowClass: (line) => (differs(line) ? 'tw-bad-row' : undefined),
    empty: 'No row of this selection has been counted.',
    columns: [
      ...leading<CountLine>(),
      { label: 'Access', value: ({ what }) => what },
      { label: 'Predicted', value: ({ predicted }) => predicted, format: integer },
      { label: 'Counted', value: ({ counted }) => counted, format: integer },
      { label: 'Difference', value: ({ predicted, counted }) => counted - predicted, format: integer },
    ],
  })
}

/** Default kernels of products and convolutions, and every row's place under the roof. */
export function roofTable(rows: readonly Row[]): HTMLElement {
  const found = rows.filter(({ result }) => result.roofline !== undefined).map((row) => ({ row }))
  const accesses =
    (side: 'predicted' | 'counted') =>
    (row: HasRow): number | undefined => {
      const figures = figuresOf(row.row.result).filter(({ space }) => space === 'storage')
      return figures.length === 0 ? undefined : figures.reduce((sum, figure) => sum + figure[side], 0)
    }
  const configOf = ({ result: { kernel } }: Row): string | undefined => (kernel === undefined ? undefined : configText(kernel))
  return table<HasRow>({
    caption: 'Rate beside what the device allows at this arithmetic intensity; of default kernels what was expected',
    rows: found,
    rowClass,
    empty: 'The report holds no peaks of the device.',
    columns: [
      ...leading<HasRow>(),
      { label: 'Intensity', unit: 'operations\nper byte', value: ({ row }) => row.result.roofline?.intensity, format: fixed(2) },
      {
        label: 'Rate',
        unit: 'GFLOP/s\nmeasured',
        value: ({ row }) => row.result.gflops,
        format: suited(rows.map(({ result }) => result.gflops)),
      },
      { label: 'Attainable', unit: 'GFLOP/s', value: ({ row }) => row.result.roofline?.attainable_gflops, format: fixed(2) },
      { label: 'Of roof', unit: 'measured', value: ({ row }) => row.result.roofline?.share, format: percent },
      { label: 'Bound', value: ({ row }) => row.result.roofline?.bound },
      {
        label: 'Time',
        unit: 'ms\nmeasured',
        value: ({ row }) => row.result.time_ms,
        format: suited(rows.map(({ result }) => result.time_ms)),
      },
      {
        label: 'Expected',
        unit: 'ms\nmodelled',
        value: ({ row }) => row.result.kernel?.predicted_ms,
        format: suited(rows.map(({ result }) => result.time_ms)),
      },
      { label: 'Accesses', unit: 'of storage\npredicted', value: accesses('predicted'), format: integer },
      { label: 'Accesses', unit: 'of storage\ncounted', value: accesses('counted'), format: integer },
      {
        label: 'Multiplications',
        unit: 'of values',
        value: ({ row }) => row.result.kernel?.convolution?.multiplications,
        format: integer,
      },
      {
        label: 'Error',
        unit: 'of the patch\nmeasured',
        value: ({ row }) => row.result.kernel?.convolution?.error.measured,
        format: error,
      },
      {
        label: 'Error',
        unit: 'of the patch\nat most',
        value: ({ row }) => row.result.kernel?.convolution?.error.bound,
        format: error,
      },
      { label: 'Kernel', value: ({ row }) => configOf(row) },
    ],
  })
}

interface Remark extends HasRow {
  readonly kind: string
  readonly text: string
}

/** Rows that were skipped, and what was shrunk or noted in the others. */
export function remarkTable(rows: readonly Row[]): HTMLElement {
  const lines = rows.flatMap((row): Remark[] => {
    const { skipped, notes = [] } = row.result
    return [
      ...(skipped === undefined ? [] : [{ row, kind: 'skipped', text: skipped }]),
      ...notes.map((text) => ({ row, kind: 'note', text })),
    ]
  })
  return table<Remark>({
    caption: 'Rows skipped, and notes',
    rows: lines,
    empty: 'Nothing was skipped, and nothing had to be noted.',
    columns: [...leading<Remark>(), { label: 'Kind', value: ({ kind }) => kind }, { label: 'Reason', value: ({ text }) => text }],
  })
}

/** The result table as comma-separated values. */
export function csvOf(rows: readonly Row[]): string {
  const head =
    'layer,dataflow,status,time_ms,gflops,macs,energy,cycles,utilization,max_error,max_error_ratio,skipped,intensity,attainable_gflops,share,bound,kernel,predicted_ms,multiplications,error,error_bound'
  const quote = (value: string | number | undefined) => {
    const text = value === undefined ? '' : String(value)
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  const lines = rows.map(({ layer, dataflow, status, macs, result }) => {
    const { time_ms, gflops, predicted, max_error, max_error_ratio, skipped, roofline, kernel } = result
    const roof = [roofline?.intensity, roofline?.attainable_gflops, roofline?.share, roofline?.bound]
    const { convolution } = kernel ?? {}
    const own = [
      kernel === undefined ? undefined : configText(kernel),
      kernel?.predicted_ms,
      convolution?.multiplications,
      convolution?.error.measured,
      convolution?.error.bound,
    ]
    const { energy: spent, cycles, utilization } = predicted ?? {}
    return [
      layer,
      dataflow,
      status,
      time_ms,
      gflops,
      macs,
      spent?.total,
      cycles,
      utilization,
      max_error,
      max_error_ratio,
      skipped,
      ...roof,
      ...own,
    ]
      .map(quote)
      .join(',')
  })
  return `${[head, ...lines].join('\n')}\n`
}
