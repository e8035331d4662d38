/**
 * From a report to what charts and tables draw: flat rows of one layer under one dataflow, sums, and the checks.
 * Pure functions, without a page; nothing here invents a figure that the report does not hold.
 */
import type { Evaluation, Issued } from '../../cost/evaluation.ts'
import type { Operand, Problem } from '../../schedule/problem.ts'
import { OPERANDS } from '../../schedule/problem.ts'
import type { DataflowReport, KernelReport, ProfileReport } from '../report.ts'

export type Kind = 'conv' | 'fc'
/** `unchecked`: figures without a comparison with the reference. */
export type Status = 'ok' | 'failed' | 'unchecked' | 'skipped'

export interface Row {
  readonly layer: string
  readonly index: number
  readonly kind: Kind
  readonly problem: Problem
  readonly macs: number
  readonly dataflow: string
  readonly result: DataflowReport
  readonly status: Status
  readonly differences: readonly Difference[]
}

/** One figure that the counted build and the prediction disagree on. */
export interface Difference {
  readonly what: string
  readonly predicted: number
  readonly counted: number
}

/** One counted figure beside its prediction. */
export interface Count extends Difference {
  readonly space: 'storage' | 'workgroup' | 'network' | 'compute'
  /** `epilogue`: what a kernel reads besides its two operands. */
  readonly operand: Operand | 'macs' | 'epilogue'
  readonly access: 'loads' | 'stores' | 'hops' | 'macs'
}

/** One pixel per filter (P = Q = 1) or a matrix product (R = S = Q = 1): fully connected; else a convolution. */
export function kindOf({ P, Q, R, S }: Problem): Kind {
  return Q === 1 && (P === 1 || (R === 1 && S === 1)) ? 'fc' : 'conv'
}

/** Every figure of `issued` with its count, named. */
export function countsOf(predicted: Issued, counted: Issued): Count[] {
  const counts: Count[] = [
    { space: 'compute', operand: 'macs', access: 'macs', what: 'MACs', predicted: predicted.macs, counted: counted.macs },
  ]
  for (const operand of OPERANDS) {
    for (const space of ['storage', 'workgroup'] as const) {
      for (const access of ['loads', 'stores'] as const) {
        const what = `${space} ${operand} ${access}`
        const figures = { predicted: predicted[space][operand][access], counted: counted[space][operand][access] }
        counts.push({ space, operand, access, what, ...figures })
      }
    }
    const hops = { predicted: predicted.hops[operand], counted: counted.hops[operand] }
    counts.push({ space: 'network', operand, access: 'hops', what: `${operand} hops`, ...hops })
  }
  return counts
}

const KERNEL_OPERANDS: Readonly<Record<string, Operand>> = { a: 'inputs', b: 'weights', x: 'inputs', w: 'weights', y: 'outputs' }

/** Accesses of a default kernel, counted beside predicted; figures that are 0 on both sides are left out. */
export function kernelCountsOf({ accesses }: KernelReport): Count[] {
  if (accesses === undefined) return []
  const { predicted, counted } = accesses
  const names = [...new Set([...Object.keys(predicted), ...Object.keys(counted)])]
  return names
    .flatMap((name) =>
      (['loads', 'stores'] as const).map((access): Count => {
        const figures = { predicted: predicted[name]?.[access] ?? 0, counted: counted[name]?.[access] ?? 0 }
        return {
          space: 'storage',
          operand: KERNEL_OPERANDS[name] ?? 'epilogue',
          access,
          what: `storage ${name} ${access}`,
          ...figures,
        }
      }),
    )
    .filter(({ predicted: expected, counted: found }) => expected !== 0 || found !== 0)
}

/** Every figure of a row that was predicted and counted. */
export function figuresOf({ predicted, counted, kernel }: DataflowReport): Count[] {
  const issued = predicted?.issued
  return [
    ...(issued === undefined || counted === undefined ? [] : countsOf(issued, counted)),
    ...(kernel === undefined ? [] : kernelCountsOf(kernel)),
  ]
}

/** All rows of the report in its order: layer by layer, dataflow by dataflow. */
export function rowsOf(report: ProfileReport): Row[] {
  return report.layers.flatMap((layer, index) =>
    Object.entries(layer.dataflows).map(([dataflow, result]) => {
      const differences = figuresOf(result).filter(({ predicted, counted }) => predicted !== counted)
      const { name, problem, macs } = layer
      const status = statusOf(result, differences.length > 0)
      return { layer: name, index, kind: kindOf(problem), problem, macs, dataflow, result, status, differences }
    }),
  )
}

function statusOf(result: DataflowReport, differs: boolean): Status {
  if (result.skipped !== undefined) return 'skipped'
  if (result.verified === false || result.counted_equal === false || differs) return 'failed'
  return result.verified === true ? 'ok' : 'unchecked'
}

/** Dataflows in the order in which the report names them first. */
export function dataflowsOf(report: ProfileReport): string[] {
  return [...new Set(report.layers.flatMap((layer) => Object.keys(layer.dataflows)))]
}

/** Storage levels from the outermost in, as the mappings name them, else as the evaluations do. */
export function levelsOf(rows: readonly Row[]): string[] {
  const names = rows.flatMap(({ result }) => result.mapping?.levels.map(({ name }) => name) ?? [])
  const more = rows.flatMap(({ result }) => Object.keys(result.predicted?.energy.levels ?? {}))
  return [...new Set([...names, ...more])]
}

/** What the reader chose to see. */
export interface Selection {
  /** `all`, `conv`, `fc`, or `layer:NAME`. */
  readonly layers: string
  readonly dataflows: ReadonlySet<string>
}

export function select(rows: readonly Row[], { layers, dataflows }: Selection): Row[] {
  return rows.filter(
    (row) => dataflows.has(row.dataflow) && (layers === 'all' || layers === row.kind || layers === `layer:${row.layer}`),
  )
}

/** A part of a stacked bar. `group` is a level, `network`, `MAC`, or an operand. */
export interface Part {
  readonly row: Row
  readonly group: string
  readonly value: number
}

/** Energy of a row by storage level, then network, then MAC. */
export function energyByLevel(row: Row, evaluation: Evaluation): Part[] {
  const levels = Object.entries(evaluation.energy.levels).map(([group, value]) => ({ row, group, value }))
  return [
    ...levels,
    { row, group: 'network', value: evaluation.energy.network },
    { row, group: 'MAC', value: evaluation.energy.mac },
  ]
}

/** Energy of a row by operand; MACs belong to none and stand apart. */
export function energyByOperand(row: Row, evaluation: Evaluation): Part[] {
  const parts = OPERANDS.map((group) => ({ row, group: group as string, value: evaluation.energy.per_operand[group] }))
  const rest = evaluation.energy.total - parts.reduce((sum, { value }) => sum + value, 0)
  return rest > evaluation.energy.total * 1e-9 ? [...parts, { row, group: 'MAC', value: rest }] : parts
}

export interface OperandAccesses {
  readonly operand: Operand
  readonly reads: number
  readonly fills: number
  readonly updates: number
  readonly all: number
}

/** Accesses of a row at one level: reads, fills and updates of each operand. */
export function accessesOf(evaluation: Evaluation, level: string): OperandAccesses[] {
  const accesses = evaluation.accesses[level]
  if (accesses === undefined) return []
  return OPERANDS.map((operand) => {
    const { reads, fills, updates } = accesses[operand]
    return { operand, reads, fills, updates, all: reads + fills + updates }
  })
}

/** Sums of one dataflow over the given rows. `missing` layers have no figure, so that sums are compared only where it is 0. */
export interface Total {
  readonly dataflow: string
  readonly layers: number
  readonly macs: number
  readonly time_ms: number
  readonly timed: number
  readonly timedMacs: number
  readonly energy: number
  readonly modelled: number
  readonly modelledMacs: number
}

const NOTHING = { layers: 0, macs: 0, time_ms: 0, timed: 0, timedMacs: 0, energy: 0, modelled: 0, modelledMacs: 0 }

export function totalsOf(rows: readonly Row[]): Total[] {
  const totals = new Map<string, Total>()
  for (const { dataflow, macs, result } of rows) {
    const sum = totals.get(dataflow) ?? { ...NOTHING, dataflow }
    const timed = result.time_ms !== undefined
    const modelled = result.predicted !== undefined
    totals.set(dataflow, {
      dataflow,
      layers: sum.layers + 1,
      macs: sum.macs + macs,
      time_ms: sum.time_ms + (result.time_ms ?? 0),
      timed: sum.timed + Number(timed),
      timedMacs: sum.timedMacs + (timed ? macs : 0),
      energy: sum.energy + (result.predicted?.energy.total ?? 0),
      modelled: sum.modelled + Number(modelled),
      modelledMacs: sum.modelledMacs + (modelled ? macs : 0),
    })
  }
  return [...totals.values()]
}

export interface Checks {
  readonly total: number
  readonly run: readonly Row[]
  readonly skipped: readonly Row[]
  readonly unchecked: readonly Row[]
  readonly verified: readonly Row[]
  readonly unverified: readonly Row[]
  /** Rows whose counts were taken. */
  readonly counted: readonly Row[]
  readonly unequal: readonly Row[]
}

export function checksOf(rows: readonly Row[]): Checks {
  const run = rows.filter(({ status }) => status !== 'skipped')
  return {
    total: rows.length,
    run,
    skipped: rows.filter(({ status }) => status === 'skipped'),
    unchecked: run.filter(({ result }) => result.verified === undefined),
    verified: run.filter(({ result }) => result.verified === true),
    unverified: run.filter(({ result }) => result.verified === false),
    counted: run.filter(({ result }) => result.counted !== undefined || result.kernel?.accesses !== undefined),
    unequal: run.filter(({ result, differences }) => result.counted_equal === false || differences.length > 0),
  }
}

const WORD_BYTES = { f32: 4, f16: 2, int8: 1 } as const

/**
 * Arithmetic intensity in operations per byte: 2·MACs over the bytes that the kernel issues to storage buffers (loads and
 * stores; caches not counted), or, where no issue is predicted, over the outermost level's accesses of the model.
 */
export function intensityOf(
  row: Row,
  precision: ProfileReport['precision'],
): { value: number; from: 'issued' | 'modelled' } | undefined {
  const { predicted, counted } = row.result
  const issued = counted ?? predicted?.issued
  const bytes = WORD_BYTES[precision]
  if (issued !== undefined) {
    const words = OPERANDS.reduce((sum, operand) => sum + issued.storage[operand].loads + issued.storage[operand].stores, 0)
    return words > 0 ? { value: (2 * row.macs) / (words * bytes), from: 'issued' } : undefined
  }
  const outermost = Object.keys(predicted?.accesses ?? {})[0]
  if (predicted === undefined || outermost === undefined) return undefined
  const words = accessesOf(predicted, outermost).reduce((sum, { all }) => sum + all, 0)
  return words > 0 ? { value: (2 * row.macs) / (words * bytes), from: 'modelled' } : undefined
}

/** What one unit of modelled energy is: a MAC where one MAC costs 1, else the hardware's own unit. */
export function energyUnit(report: ProfileReport): { short: string; words: string } {
  const row = rowsOf(report).find(({ result }) => result.predicted !== undefined)
  const evaluation = row?.result.predicted
  const normalised = evaluation === undefined || Math.abs(evaluation.energy.mac / Math.max(1, evaluation.macs) - 1) < 1e-6
  return normalised
    ? { short: 'MAC energies', words: 'in units of one MAC operation' }
    : { short: `${report.hardware} units`, words: `in the energy unit of ${report.hardware}` }
}
