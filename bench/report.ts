/** What `tilewright bench` hands over: figures of each case and peer, ratios, means, and the roof they are held under. */
import type { AdapterDescription } from '../src/profile/report.ts'
import type { Bench, BenchCase, EngineBench } from './cases/table.ts'
import { keptBy } from './engines/kernels.ts'
import { median } from './engines/sample.ts'
import type { Answer, KernelCounts, Measured, Peer } from './protocol.ts'

export const BENCH_SCHEMA = 'tilewright.bench/1'

/** Measured peaks: operations and bytes a second. */
export interface Roof {
  readonly flops: { readonly f32: number; readonly f16?: number; readonly i8?: number }
  readonly bytes_per_s: number
}

export interface Machine {
  readonly processor: string
  readonly processors: number
  /** Load average over a minute when the bench ended, its own threads among it, and before it began. */
  readonly load: number
  readonly load_before: number
  readonly node: string
  readonly platform: string
}

export interface CaseAnswers<C extends BenchCase = BenchCase> {
  readonly item: C
  /** Why the case was not run at all. */
  readonly left_out?: string
  readonly answers: ReadonlyMap<Peer, Answer>
}

export interface PeerFigures extends Measured {
  readonly resident_ms: number
  readonly end_to_end_ms: number
  readonly gflops: number
  /** Where the device's clock has the kernels take longer than the wall clock the whole run: `kernel_ms` is then in no ratio. */
  readonly kernel_doubtful?: true
  /** Share of what the roof allows for this case: of the peak, or of the bandwidth. */
  readonly share: number
  /** How many times longer than ours; only beside ours, and not for ours. */
  readonly ratio?: { readonly resident: number; readonly first: number; readonly end_to_end: number; readonly kernel?: number }
}

export type PeerRow = PeerFigures | Exclude<Answer, Measured>

export type CaseRow<C extends BenchCase = BenchCase> = C & RowFigures

export interface RowFigures {
  readonly flops: number
  readonly least_bytes: number
  readonly bound: 'peak' | 'bandwidth'
  readonly left_out?: string
  readonly peers: Readonly<Partial<Record<Peer, PeerRow>>>
}

/** A peer's ratios over the cases of a family that it and ours both hold. */
export interface FamilyMean {
  readonly cases: number
  readonly resident: number
  readonly first: number
  readonly end_to_end: number
  /** Of the cases whose kernels both time, and how many these are. */
  readonly kernel?: number
  readonly kernel_cases?: number
  /** The case in which ours does worst. */
  readonly least: { readonly case: string; readonly resident: number }
}

/** The same over all cases. */
export interface Mean extends FamilyMean {
  readonly slowest_first: { readonly case: string; readonly first: number }
  /** By family, in benches that tell them apart. */
  readonly families?: Readonly<Record<string, FamilyMean>>
}

export interface BenchReport<C extends BenchCase = BenchCase> {
  readonly schema: typeof BENCH_SCHEMA
  readonly bench: EngineBench
  readonly date: string
  readonly complete: boolean
  readonly adapter: AdapterDescription
  readonly machine: Machine
  readonly roof: Roof
  readonly shader_caches: 'off' | 'as they are'
  readonly rounds: number
  /** Whether ours took what `tilewright tune` kept on this adapter. */
  readonly tuned: boolean
  /** Cases that ours holds, by where its kernel comes from; of networks their nodes, where an op chooses among kernels. */
  readonly kernels: KernelCounts
  readonly peers: readonly Peer[]
  /** By peer, as each names itself. */
  readonly versions: Readonly<Partial<Record<Peer, string>>>
  readonly toggles: Readonly<Partial<Record<Peer, readonly string[]>>>
  readonly cases: readonly CaseRow<C>[]
  readonly means: Readonly<Partial<Record<Peer, Mean>>>
}

export interface Findings<C extends BenchCase = BenchCase> {
  readonly adapter: AdapterDescription
  readonly roof: Roof
  readonly peers: readonly Peer[]
  readonly results: readonly CaseAnswers<C>[]
  readonly machine: Machine
  readonly shader_caches: BenchReport['shader_caches']
  readonly rounds: number
  readonly tuned: boolean
  readonly complete: boolean
}

const SOURCES = ['tuned', 'shipped', 'rule'] as const

/** A peer may be less careful (half floats added up in half floats); beyond this it computed something else. */
const MOST_PEER_ERROR = 0.05

/**
 * The least time a case could take under a roof, in seconds, and what binds it. Half floats are added up in f32, so the larger of
 * the two peaks stands; integers are held under packed dot products, or under the bandwidth alone where there are none.
 */
export function roofTime<C extends BenchCase>(
  bench: Bench<C>,
  item: C,
  { flops, bytes_per_s }: Roof,
): { seconds: number; bound: 'peak' | 'bandwidth' } {
  const peak =
    item.dtype === 'int8' ? (flops.i8 ?? Infinity) : item.dtype === 'f16' ? Math.max(flops.f32, flops.f16 ?? 0) : flops.f32
  const [compute, memory] = [(2 * bench.macs(item)) / peak, bench.leastBytes(item) / bytes_per_s]
  return compute >= memory ? { seconds: compute, bound: 'peak' } : { seconds: memory, bound: 'bandwidth' }
}

export function reportOf<C extends BenchCase>(bench: Bench<C>, findings: Findings<C>, date = new Date()): BenchReport<C> {
  const { results, peers, roof, ...rest } = findings
  const cases = results.map((result) => caseRow(bench, result, roof))
  const means: Partial<Record<Peer, Mean>> = {}
  const versions: Partial<Record<Peer, string>> = {}
  const toggles: Partial<Record<Peer, readonly string[]>> = {}
  for (const peer of peers) {
    const mean = meanOf(peer, cases)
    if (mean !== undefined) means[peer] = bench.byFamily ? { ...mean, families: familyMeans(peer, bench.families, cases) } : mean
    const known = results.map(({ answers }) => answers.get(peer)).find((answer): answer is Measured => answer?.status === 'ok')
    if (known === undefined) continue
    versions[peer] = known.version
    toggles[peer] = known.toggles
  }
  const kernels = kernelCounts(cases)
  return {
    schema: BENCH_SCHEMA,
    bench: bench.name,
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

function kernelCounts(cases: readonly CaseRow[]): KernelCounts {
  const counts = { tuned: 0, shipped: 0, rule: 0 }
  for (const { peers } of cases) {
    if (peers.tilewright?.status !== 'ok') continue
    const { kernel, nodes } = peers.tilewright
    if (nodes !== undefined) for (const source of SOURCES) counts[source] += nodes[source]
    else if (kernel !== undefined) counts[keptBy(kernel) ?? 'rule']++
  }
  return counts
}

function caseRow<C extends BenchCase>(bench: Bench<C>, { item, left_out, answers }: CaseAnswers<C>, roof: Roof): CaseRow<C> {
  const { seconds, bound } = roofTime(bench, item, roof)
  const own = answers.get('tilewright')
  const ours = own?.status === 'ok' && isRight(own, bench.mostError(item)) ? own : undefined
  const peers: Partial<Record<Peer, PeerRow>> = {}
  for (const [peer, answer] of answers) {
    if (answer.status !== 'ok') {
      peers[peer] = answer
      continue
    }
    const most = peer.startsWith('tilewright') ? bench.mostError(item) : MOST_PEER_ERROR
    if (!isRight(answer, most)) {
      peers[peer] = { status: 'failed', reason: `its result is wrong: relative error ${answer.error?.relative.toExponential(1)}` }
      continue
    }
    const resident_ms = median(answer.resident.samples_ms)
    const figures = {
      ...answer,
      resident_ms,
      end_to_end_ms: median(answer.end_to_end.samples_ms),
      gflops: (2 * bench.macs(item)) / resident_ms / 1e6,
      share: seconds / (resident_ms / 1000),
      ...(isDoubtful(answer) ? { kernel_doubtful: true as const } : {}),
    }
    peers[peer] = ours === undefined || peer === 'tilewright' ? figures : { ...figures, ratio: ratioOf(answer, ours) }
  }
  return {
    ...item,
    flops: 2 * bench.macs(item),
    least_bytes: bench.leastBytes(item),
    bound,
    ...(left_out === undefined ? {} : { left_out }),
    peers,
  }
}

/** Within `most`, or held against nothing. */
function isRight({ error }: Measured, most: number): boolean {
  return error === undefined || error.relative <= most
}

/** A kernel is part of its run; clocks and moments differ by so much at most. */
export const MOST_KERNEL_SHARE = 1.2

function isDoubtful({ kernel_ms, resident }: Measured): boolean {
  return kernel_ms !== undefined && kernel_ms > MOST_KERNEL_SHARE * median(resident.samples_ms)
}

function ratioOf(peer: Measured, ours: Measured): NonNullable<PeerFigures['ratio']> {
  const of = (answer: Measured, what: 'resident' | 'end_to_end'): number => median(answer[what].samples_ms)
  return {
    resident: of(peer, 'resident') / of(ours, 'resident'),
    first: peer.first_ms / ours.first_ms,
    end_to_end: of(peer, 'end_to_end') / of(ours, 'end_to_end'),
    ...(peer.kernel_ms === undefined || ours.kernel_ms === undefined || isDoubtful(peer) || isDoubtful(ours)
      ? {}
      : { kernel: peer.kernel_ms / ours.kernel_ms }),
  }
}

interface Held {
  readonly name: string
  readonly ratio: NonNullable<PeerFigures['ratio']>
}

/** The cases that a peer and ours both hold. */
function heldBy(peer: Peer, cases: readonly CaseRow[]): Held[] {
  return cases.flatMap(({ name, peers }) => {
    const row = peers[peer]
    return row?.status === 'ok' && row.ratio !== undefined ? [{ name, ratio: row.ratio }] : []
  })
}

function familyMean(held: readonly [Held, ...Held[]]): FamilyMean {
  const least = held.reduce((one, next) => (next.ratio.resident < one.ratio.resident ? next : one))
  const kernels = held.flatMap(({ ratio }) => (ratio.kernel === undefined ? [] : [ratio.kernel]))
  return {
    cases: held.length,
    resident: geometricMean(held.map(({ ratio }) => ratio.resident)),
    first: geometricMean(held.map(({ ratio }) => ratio.first)),
    end_to_end: geometricMean(held.map(({ ratio }) => ratio.end_to_end)),
    ...(kernels.length === 0 ? {} : { kernel: geometricMean(kernels), kernel_cases: kernels.length }),
    least: { case: least.name, resident: least.ratio.resident },
  }
}

function meanOf(peer: Peer, cases: readonly CaseRow[]): Mean | undefined {
  const [first, ...rest] = heldBy(peer, cases)
  if (first === undefined) return undefined
  const slowest = rest.reduce((one, next) => (next.ratio.first < one.ratio.first ? next : one), first)
  return { ...familyMean([first, ...rest]), slowest_first: { case: slowest.name, first: slowest.ratio.first } }
}

function familyMeans(peer: Peer, families: readonly string[], cases: readonly CaseRow[]): Record<string, FamilyMean> {
  return Object.fromEntries(
    families.flatMap((family): [string, FamilyMean][] => {
      const own = cases.filter((row) => row.family === family)
      const [first, ...rest] = heldBy(peer, own)
      return first === undefined ? [] : [[family, familyMean([first, ...rest])]]
    }),
  )
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
