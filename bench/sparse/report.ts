/** What `tilewright bench sparse` hands over: each sparse kernel beside our own dense one, and where formats break even. */
import { runLengthRatio } from '../../src/cost/compression.ts'
import type { AdapterDescription } from '../../src/profile/report.ts'
import { SPARSE, type SparseCase } from '../cases/sparse.ts'
import { median } from '../engines/sample.ts'
import type { Answer, Measured, Peer, ResultError, Unheld } from '../protocol.ts'
import { geometricMean, MOST_KERNEL_SHARE, type Machine, type Roof } from '../report.ts'
import type { ContenderFigures, SparseAnswer, SparseMeasured, SparsePoint, Turns } from './measure.ts'

export const SPARSE_SCHEMA = 'tilewright.bench-sparse/1'

/** Of one contender; times are medians of all its samples. */
export interface Figures {
  readonly ms: number
  readonly kernel_ms?: number
  /** Where the device's clock has one run of the kernels take longer than the wall clock a run: in no ratio. */
  readonly kernel_doubtful?: true
  readonly weight_bytes: number
  /** Weights, activations and result, each once. */
  readonly bytes: number
  /** Bytes over the time that counts (`ratioOf`). */
  readonly gb_per_s: number
  readonly first_ms: number
  readonly kernel: string
  readonly error: ResultError
}

export interface PointFigures extends Figures {
  readonly label: string
  readonly density: number
  /** The error is beyond what the case allows: in no mean and no crossing. */
  readonly wrong?: true
  /** Medians of the dense kernel in the same turns. */
  readonly dense_ms?: number
  readonly dense_kernel_ms?: number
  /** How many times as fast as the dense kernel: `dense_ms` / `ms`. */
  readonly ratio?: number
  /** Half of what lies between the quartiles of the ratios of neighbouring samples. */
  readonly spread?: number
  /** `dense_kernel_ms` / `kernel_ms`. */
  readonly kernel_ratio?: number
  /** Bytes of the dense kernel over its own: what the ratio would be, were bytes all. */
  readonly byte_ratio?: number
  /** Of a code: its bytes over those of the plain values, and what is to be expected of zeros at random. */
  readonly code_ratio?: number
  readonly expected_code_ratio?: number
  /** Samples of both, in turns. */
  readonly own: Turns
  readonly dense?: Turns
}

/** The density at which a format is as fast as the dense kernel, or between which densities of the table it lies outside. */
export type Crossing = { readonly at: number } | { readonly above: number } | { readonly below: number }

export type PeerTime = { readonly status: 'ok'; readonly ms: number; readonly kernel_ms?: number } | Unheld

export type SparseRow = SparseCase & {
  readonly flops: number
  readonly left_out?: string
  /** Why there are no figures at all. */
  readonly fault?: string
  readonly dense?: Figures
  readonly points: readonly PointFigures[]
  readonly unheld: SparseMeasured['unheld']
  readonly crossing?: Crossing
  /** Processors that other processes kept busy meanwhile, on average; of rounds the most. */
  readonly busy_others?: number
  /** Other engines on the dense product. */
  readonly peers: Readonly<Partial<Record<Peer, PeerTime>>>
}

/** A geometric mean of ratios of 2:4 over dense. */
export interface SparseMean {
  readonly what: string
  readonly cases: number
  readonly ratio: number
  readonly byte_ratio: number
}

export interface SparseReport {
  readonly schema: typeof SPARSE_SCHEMA
  readonly bench: 'sparse'
  readonly date: string
  readonly complete: boolean
  /** What all of it took. */
  readonly seconds: number
  readonly adapter: AdapterDescription
  readonly machine: Machine
  readonly roof: Roof
  readonly rounds: number
  readonly tuned: boolean
  readonly peers: readonly Peer[]
  readonly versions: Readonly<Partial<Record<Peer, string>>>
  readonly cases: readonly SparseRow[]
  readonly means: readonly SparseMean[]
}

export interface SparseResult {
  readonly item: SparseCase
  readonly left_out?: string
  /** One a round. */
  readonly own: readonly SparseAnswer[]
  readonly others: ReadonlyMap<Peer, Answer>
}

export type SparseFindings = Omit<SparseReport, 'schema' | 'bench' | 'date' | 'versions' | 'cases' | 'means'> & {
  readonly results: readonly SparseResult[]
}

export function sparseReport(findings: SparseFindings, date = new Date()): SparseReport {
  const { results, ...rest } = findings
  const cases = results.map((result) => rowOf(result, rest.adapter.software))
  const versions: Partial<Record<Peer, string>> = {}
  for (const { own, others } of results) {
    const first = own.find((answer): answer is SparseMeasured => answer.status === 'ok')
    if (first !== undefined) versions.tilewright ??= first.version
    for (const [peer, answer] of others) if (answer.status === 'ok') versions[peer] ??= answer.version
  }
  return {
    schema: SPARSE_SCHEMA,
    bench: 'sparse',
    date: date.toISOString(),
    ...rest,
    versions,
    cases,
    means: meansOf(cases, rest.adapter.software),
  }
}

/** The ratio that counts: on a GPU in kernels, where submitting would hide it; of a software adapter by the wall clock. */
export function ratioOf({ ratio, kernel_ratio }: PointFigures, software: boolean): number | undefined {
  return software ? ratio : (kernel_ratio ?? ratio)
}

function rowOf({ item, left_out, own, others }: SparseResult, software: boolean): SparseRow {
  const flops = 2 * SPARSE.macs(item)
  const peers = Object.fromEntries([...others].map(([peer, answer]) => [peer, peerTime(answer)]))
  const empty = { ...item, flops, points: [], unheld: [], peers }
  if (left_out !== undefined) return { ...empty, left_out }
  const fault = own.find((answer): answer is Unheld => answer.status !== 'ok')
  const rounds = own.filter((answer): answer is SparseMeasured => answer.status === 'ok')
  const [first] = rounds
  if (fault !== undefined || first === undefined) return { ...empty, fault: fault?.reason ?? 'there was no answer' }
  const dense =
    first.dense === undefined
      ? undefined
      : figuresOf(
          first.dense,
          turnsOf(rounds, (point) => point.dense),
          software,
        )
  const points = first.points.map((point) => {
    const same = (other: SparsePoint): boolean => other.label === point.label && other.density === point.density
    const turns = (of: (one: SparsePoint) => Turns | undefined): Turns =>
      turnsOf(rounds, (other) => (same(other) ? of(other) : undefined))
    return pointFigures(
      item,
      point,
      turns((one) => one.own),
      point.dense === undefined ? undefined : turns((one) => one.dense),
      dense,
      software,
    )
  })
  const crossing = item.family === 'break-even' ? crossingOf(points, software) : undefined
  return {
    ...item,
    flops,
    ...(dense === undefined ? {} : { dense }),
    points,
    unheld: first.unheld,
    ...(crossing === undefined ? {} : { crossing }),
    busy_others: Math.max(...rounds.map(({ busy_others }) => busy_others)),
    peers,
  }
}

function peerTime(answer: Answer): PeerTime {
  if (answer.status !== 'ok') return answer
  return { status: 'ok', ms: median(answer.resident.samples_ms), ...kernelMs(answer) }
}

function kernelMs({ kernel_ms }: Pick<Measured, 'kernel_ms'>): { kernel_ms?: number } {
  return kernel_ms === undefined ? {} : { kernel_ms }
}

function turnsOf(rounds: readonly SparseMeasured[], of: (point: SparsePoint) => Turns | undefined): Turns {
  const all = rounds.flatMap(({ points }) => points.flatMap((point) => of(point) ?? []))
  return { samples_ms: all.flatMap((turns) => turns.samples_ms), kernels_ms: all.flatMap((turns) => turns.kernels_ms) }
}

function figuresOf({ weight_bytes, bytes, first_ms, kernel, error }: ContenderFigures, turns: Turns, software: boolean): Figures {
  const ms = medianOf(turns.samples_ms) ?? NaN
  const kernel_ms = medianOf(turns.kernels_ms)
  const isDoubtful = kernel_ms !== undefined && kernel_ms > MOST_KERNEL_SHARE * ms
  const counted = software || kernel_ms === undefined || isDoubtful ? ms : kernel_ms
  return {
    ...{ ms, ...kernelMs(kernel_ms === undefined ? {} : { kernel_ms }), ...(isDoubtful ? { kernel_doubtful: true as const } : {}) },
    ...{ weight_bytes, bytes, gb_per_s: bytes / counted / 1e6, first_ms, kernel, error },
  }
}

const medianOf = (samples: readonly number[]): number | undefined => (samples.length === 0 ? undefined : median(samples))

/** Half of what lies between the quartiles of b / a over neighbours. */
function pairSpread(a: readonly number[], b: readonly number[]): number {
  const ratios = a.flatMap((own, index) => {
    const other = b[index]
    return other === undefined ? [] : [other / own]
  })
  const sorted = ratios.toSorted((one, other) => one - other)
  const at = (part: number): number => sorted[Math.round(part * (sorted.length - 1))] ?? NaN
  return (at(0.75) - at(0.25)) / 2
}

function pointFigures(
  item: SparseCase,
  point: SparsePoint,
  own: Turns,
  denseTurns: Turns | undefined,
  dense: Figures | undefined,
  software: boolean,
): PointFigures {
  const figures = figuresOf(point, own, software)
  const beside = dense === undefined || denseTurns === undefined ? undefined : besideOf(figures, own, denseTurns, dense, software)
  return {
    label: point.label,
    density: point.density,
    ...figures,
    ...(point.error.relative <= SPARSE.mostError(item) ? {} : { wrong: true as const }),
    ...beside,
    ...(item.family === 'run-length'
      ? { code_ratio: figures.weight_bytes / (2 * item.count), expected_code_ratio: runLengthRatio(1 - point.density) }
      : {}),
    own,
    ...(denseTurns === undefined ? {} : { dense: denseTurns }),
  }
}

type Beside = Pick<PointFigures, 'dense_ms' | 'dense_kernel_ms' | 'ratio' | 'spread' | 'kernel_ratio' | 'byte_ratio'>

function besideOf(figures: Figures, own: Turns, turns: Turns, dense: Figures, software: boolean): Beside {
  const { ms, kernel_ms, kernel_doubtful } = figuresOf(dense, turns, software)
  const doubtful = kernel_doubtful === true || figures.kernel_doubtful === true
  return {
    ...{ dense_ms: ms, ...(kernel_ms === undefined ? {} : { dense_kernel_ms: kernel_ms }) },
    ...{ ratio: ms / figures.ms, spread: pairSpread(own.samples_ms, turns.samples_ms) },
    ...(kernel_ms === undefined || figures.kernel_ms === undefined || doubtful
      ? {}
      : { kernel_ratio: kernel_ms / figures.kernel_ms }),
    byte_ratio: dense.bytes / figures.bytes,
  }
}

/**
 * Where the line through the points, log ratio over log density, passes 1: the largest density below which all are faster than dense.
 * Undefined where nothing was compared.
 */
export function crossingOf(points: readonly PointFigures[], software: boolean): Crossing | undefined {
  const known = points
    .flatMap((point) => {
      const ratio = point.wrong === true ? undefined : ratioOf(point, software)
      return ratio === undefined ? [] : [{ density: point.density, ratio }]
    })
    .toSorted((a, b) => a.density - b.density)
  const [sparsest] = known
  if (sparsest === undefined) return undefined
  if (sparsest.ratio < 1) return { below: sparsest.density }
  const slower = known.findIndex(({ ratio }) => ratio < 1)
  const [low, high] = [known[slower - 1], known[slower]]
  if (low === undefined || high === undefined) return { above: known.at(-1)?.density ?? sparsest.density }
  const part = Math.log(low.ratio) / (Math.log(low.ratio) - Math.log(high.ratio))
  return { at: Math.exp(Math.log(low.density) + part * (Math.log(high.density) - Math.log(low.density))) }
}

/** Rows up to which a product is a matter of bytes alone. */
const FEW_ROWS = 16

function meansOf(cases: readonly SparseRow[], software: boolean): SparseMean[] {
  const groups = new Map<string, { ratio: number; byte_ratio: number }[]>()
  for (const row of cases) {
    const point = row.points.find(({ wrong }) => wrong !== true)
    const ratio = point === undefined ? undefined : ratioOf(point, software)
    if (ratio === undefined || point?.byte_ratio === undefined || row.family === 'break-even') continue
    const what =
      row.family === '2:4'
        ? `2:4 ${row.dtype}${row.share === 1 ? '' : ', shared positions'}, ${row.m <= FEW_ROWS ? `up to ${FEW_ROWS} rows` : 'more rows'}`
        : `2:4 convolutions ${row.dtype}`
    groups.set(what, [...(groups.get(what) ?? []), { ratio, byte_ratio: point.byte_ratio }])
  }
  return [...groups].map(([what, held]) => ({
    what,
    cases: held.length,
    ratio: geometricMean(held.map(({ ratio }) => ratio)),
    byte_ratio: geometricMean(held.map(({ byte_ratio }) => byte_ratio)),
  }))
}

/** What ours did not hold or got wrong, for people and the exit code: [case, reason]. */
export function sparseFaults({ cases }: SparseReport): [string, string][] {
  return cases.flatMap((row): [string, string][] => [
    ...(row.fault === undefined ? [] : [[row.name, row.fault] as [string, string]]),
    ...row.unheld.map(({ label, density, reason }): [string, string] => [`${row.name}, ${label} at ${density}`, reason]),
    ...[...row.points, ...(row.dense === undefined ? [] : [{ label: 'dense', ...row.dense }])].flatMap(
      (point): [string, string][] => {
        const { relative } = point.error
        if (relative <= SPARSE.mostError(row)) return []
        return [[`${row.name}, ${point.label}`, `its result is wrong: relative error ${relative.toExponential(1)}`]]
      },
    ),
  ])
}
