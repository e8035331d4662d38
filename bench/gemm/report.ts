/** What `tilewright bench gemm` hands over: figures of each case and peer, ratios, means, and the roof they are held under. */
import type { AdapterDescription } from '../../src/profile/report.ts'
import { leastBytes, macs, type GemmCase, type GemmDtype } from '../cases/gemm.ts'
import type { Answer, Measured, Peer } from './protocol.ts'
import { median } from './sample.ts'

export const BENCH_SCHEMA = 'tilewright.bench/1'

/** Measured peaks: operations and bytes a second. */
export interface Roof {
  readonly flops: { readonly f32: number; readonly f16?: number; readonly i8?: number }
  readonly bytes_per_s: number
}

export interface Machine {
  readonly processor: string
  readonly processors: number
  /** Load average over a minute when the bench ended. */
  readonly load: number
  readonly node: string
  readonly platform: string
}

export interface CaseAnswers {
  readonly item: GemmCase
  /** Why the case was not run at all. */
  readonly left_out?: string
  readonly answers: ReadonlyMap<Peer, Answer>
}

export interface PeerFigures extends Measured {
  readonly resident_ms: number
  readonly end_to_end_ms: number
  readonly gflops: number
  /** Share of what the roof allows for this case: of the peak, or of the bandwidth. */
  readonly share: number
  /** How many times longer than ours; only beside ours, and not for ours. */
  readonly ratio?: { readonly resident: number; readonly first: number; readonly end_to_end: number; readonly kernel?: number }
}

export type PeerRow = PeerFigures | Exclude<Answer, Measured>

export interface CaseRow extends GemmCase {
  readonly flops: number
  readonly least_bytes: number
  readonly bound: 'peak' | 'bandwidth'
  readonly left_out?: string
  readonly peers: Readonly<Partial<Record<Peer, PeerRow>>>
}

/** A peer's ratios over the cases that it and ours both hold. */
export interface Mean {
  readonly cases: number
  readonly resident: number
  readonly first: number
  readonly end_to_end: number
  readonly kernel?: number
  /** The case in which ours does worst. */
  readonly least: { readonly case: string; readonly resident: number }
  readonly slowest_first: { readonly case: string; readonly first: number }
}

/** `shipped`: tuned by the makers, part of this version. */
export type KernelCounts = Readonly<Record<'tuned' | 'shipped' | 'rule', number>>

export interface BenchReport {
  readonly schema: typeof BENCH_SCHEMA
  readonly bench: 'gemm'
  readonly date: string
  readonly complete: boolean
  readonly adapter: AdapterDescription
  readonly machine: Machine
  readonly roof: Roof
  readonly shader_caches: 'off' | 'as they are'
  readonly rounds: number
  /** Whether ours took what `tilewright tune` kept on this adapter. */
  readonly tuned: boolean
  /** Cases that ours holds, by where its kernel comes from. */
  readonly kernels: KernelCounts
  readonly peers: readonly Peer[]
  /** By peer, as each names itself. */
  readonly versions: Readonly<Partial<Record<Peer, string>>>
  readonly toggles: Readonly<Partial<Record<Peer, readonly string[]>>>
  readonly cases: readonly CaseRow[]
  readonly means: Readonly<Partial<Record<Peer, Mean>>>
}

export interface Findings {
  readonly adapter: AdapterDescription
  readonly roof: Roof
  readonly peers: readonly Peer[]
  readonly results: readonly CaseAnswers[]
  readonly machine: Machine
  readonly shader_caches: BenchReport['shader_caches']
  readonly rounds: number
  readonly tuned: boolean
  readonly complete: boolean
}

/**
 * Errors beyond which a product is wrong. 4-bit weights: what making bytes of the activations costs, as accuracy level 4 allows
 * it; integers are exact.
 */
export const MOST_ERROR: Readonly<Record<GemmDtype, number>> = { f32: 1e-4, f16: 1e-3, int4: 1e-2, int8: 0 }
/** A peer may be less careful (half floats added up in half floats); beyond this it computed something else. */
const MOST_PEER_ERROR = 0.05

/**
 * The least time a case could take under a roof, in seconds, and what binds it. Half floats are added up in f32, so the larger of
 * the two peaks stands; integers are held under packed dot products, or under the bandwidth alone where there are none.
 */
export function roofTime(item: GemmCase, { flops, bytes_per_s }: Roof): { seconds: number; bound: 'peak' | 'bandwidth' } {
  const peak =
    item.dtype === 'int8' ? (flops.i8 ?? Infinity) : item.dtype === 'f16' ? Math.max(flops.f32, flops.f16 ?? 0) : flops.f32
  const [compute, memory] = [(2 * macs(item)) / peak, leastBytes(item) / bytes_per_s]
  return compute >= memory ? { seconds: compute, bound: 'peak' } : { seconds: memory, bound: 'bandwidth' }
}

export function reportOf(findings: Findings, date = new Date()): BenchReport {
  const { results, peers, roof, ...rest } = findings
  const cases = results.map((result) => caseRow(result, roof))
  const means: Partial<Record<Peer, Mean>> = {}
  const versions: Partial<Record<Peer, string>> = {}
  const toggles: Partial<Record<Peer, readonly string[]>> = {}
  for (const peer of peers) {
    const mean = meanOf(peer, cases)
    if (mean !== undefined) means[peer] = mean
    const known = results.map(({ answers }) => answers.get(peer)).find((answer): answer is Measured => answer?.status === 'ok')
    if (known === undefined) continue
    versions[peer] = known.version
    toggles[peer] = known.toggles
  }
  const kernels = kernelCounts(cases)
  return {
    schema: BENCH_SCHEMA,
    bench: 'gemm',
    date: date.toISOString(),
    ...rest,
    kernels,
    roof,
    peers,
    versions,
    toggles,
    cases,
    means,
  }
}

/** By the reasons of ours, as `choose` (src/ops/gemm/choose.ts) gives them: `tuned: …`, `shipped: …`, behind what was refused. */
function kernelCounts(cases: readonly CaseRow[]): KernelCounts {
  const counts = { tuned: 0, shipped: 0, rule: 0 }
  for (const { peers } of cases) {
    if (peers.tilewright?.status !== 'ok') continue
    const kept = /(?:^|; )(tuned|shipped): /.exec(peers.tilewright.kernel ?? '')?.[1]
    counts[kept === 'tuned' || kept === 'shipped' ? kept : 'rule']++
  }
  return counts
}

function caseRow({ item, left_out, answers }: CaseAnswers, roof: Roof): CaseRow {
  const { seconds, bound } = roofTime(item, roof)
  const own = answers.get('tilewright')
  const ours = own?.status === 'ok' && own.error.relative <= MOST_ERROR[item.dtype] ? own : undefined
  const peers: Partial<Record<Peer, PeerRow>> = {}
  for (const [peer, answer] of answers) {
    if (answer.status !== 'ok') {
      peers[peer] = answer
      continue
    }
    const most = peer.startsWith('tilewright') ? MOST_ERROR[item.dtype] : MOST_PEER_ERROR
    if (!(answer.error.relative <= most)) {
      peers[peer] = { status: 'failed', reason: `its result is wrong: relative error ${answer.error.relative.toExponential(1)}` }
      continue
    }
    const resident_ms = median(answer.resident.samples_ms)
    const figures = {
      ...answer,
      resident_ms,
      end_to_end_ms: median(answer.end_to_end.samples_ms),
      gflops: (2 * macs(item)) / resident_ms / 1e6,
      share: seconds / (resident_ms / 1000),
    }
    peers[peer] = ours === undefined || peer === 'tilewright' ? figures : { ...figures, ratio: ratioOf(answer, ours) }
  }
  return {
    ...item,
    flops: 2 * macs(item),
    least_bytes: leastBytes(item),
    bound,
    ...(left_out === undefined ? {} : { left_out }),
    peers,
  }
}

function ratioOf(peer: Measured, ours: Measured): NonNullable<PeerFigures['ratio']> {
  const of = (answer: Measured, what: 'resident' | 'end_to_end'): number => median(answer[what].samples_ms)
  return {
    resident: of(peer, 'resident') / of(ours, 'resident'),
    first: peer.first_ms / ours.first_ms,
    end_to_end: of(peer, 'end_to_end') / of(ours, 'end_to_end'),
    ...(peer.kernel_ms === undefined || ours.kernel_ms === undefined ? {} : { kernel: peer.kernel_ms / ours.kernel_ms }),
  }
}

function meanOf(peer: Peer, cases: readonly CaseRow[]): Mean | undefined {
  const held = cases.flatMap(({ name, peers }) => {
    const row = peers[peer]
    return row?.status === 'ok' && row.ratio !== undefined ? [{ name, ratio: row.ratio }] : []
  })
  const [first] = held
  if (first === undefined) return undefined
  const least = held.reduce((one, next) => (next.ratio.resident < one.ratio.resident ? next : one), first)
  const slowest = held.reduce((one, next) => (next.ratio.first < one.ratio.first ? next : one), first)
  const kernels = held.flatMap(({ ratio }) => (ratio.kernel === undefined ? [] : [ratio.kernel]))
  return {
    cases: held.length,
    resident: geometricMean(held.map(({ ratio }) => ratio.resident)),
    first: geometricMean(held.map(({ ratio }) => ratio.first)),
    end_to_end: geometricMean(held.map(({ ratio }) => ratio.end_to_end)),
    ...(kernels.length === held.length ? { kernel: geometricMean(kernels) } : {}),
    least: { case: least.name, resident: least.ratio.resident },
    slowest_first: { case: slowest.name, first: slowest.ratio.first },
  }
}

/** @throws Error for no values */
export function geometricMean(values: readonly number[]): number {
  if (values.length === 0) throw new Error('There is no mean of no values')
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}

/** What ours did not hold or got wrong, for people and the exit code: [case, reason]. */
export function faultsOf({ cases }: BenchReport): [string, string][] {
  return cases.flatMap(({ name, peers }) =>
    (['tilewright', 'tilewright-safe'] as const).flatMap((peer): [string, string][] => {
      const row = peers[peer]
      return row === undefined || row.status === 'ok' ? [] : [[`${name}, ${peer}`, row.reason]]
    }),
  )
}
