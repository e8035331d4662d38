/**
 * The bench's tables for people, at most 120 columns wide: speed under the roof and beside the peers, ratios, first calls, memory,
 * errors, and the means.
 */
import type { Peer } from '../../bench/protocol.ts'
import type { BenchReport, CaseRow, FamilyMean, Machine, PeerFigures } from '../../bench/report.ts'
import type { Colors } from './context.ts'
import { adapterTitle } from './gpu.ts'
import { bytes, duration, scientific, table, WIDTH, wrapped, type Column } from './table.ts'

/** What heads a peer's columns. */
export const TITLES: Readonly<Record<Peer, string>> = {
  tilewright: 'ours',
  'tilewright-safe': 'safe',
  'ort-webgpu': 'ORT WebGPU',
  'ort-cpu': 'ORT CPU',
  'tfjs-webgpu': 'tfjs',
}

export const right = (title: string): Column => ({ title, align: 'right' })
export const three = (value: number): string => (value >= 1000 ? value.toFixed(0) : value.toPrecision(3))
export const times = (value: number): string => `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)}×`

function figuresOf(row: CaseRow, peer: Peer): PeerFigures | undefined {
  const figures = row.peers[peer]
  return figures?.status === 'ok' ? figures : undefined
}

/** A cell of a peer: `–` where it has none. */
function cell(row: CaseRow, peer: Peer, show: (figures: PeerFigures) => string | undefined): string {
  const figures = figuresOf(row, peer)
  return (figures === undefined ? undefined : show(figures)) ?? '–'
}

/** Red where ours is the slower one. */
function ratio(value: number | undefined, colors: Colors): string | undefined {
  if (value === undefined) return undefined
  return value < 1 ? colors.red(times(value)) : times(value)
}

export function renderBench(report: BenchReport, colors: Colors, firstCall: boolean): string {
  const run = report.cases.filter(({ left_out }) => left_out === undefined)
  const others = report.peers.filter((peer) => !peer.startsWith('tilewright'))
  return [
    ...head(report).map((line) => wrapped(line)),
    '',
    speedTable(report, run, others, colors),
    ...doubtfulLine(report, run),
    '',
    ...(others.length === 0 ? [] : [ratioTable(run, others, colors), '']),
    ...(firstCall ? [firstTable(report, run, colors), ''] : []),
    costTable(run, report.peers, colors),
    '',
    errorTable(report, run, colors),
    '',
    ...kernelLines(report, run, colors),
    ...familyTable(report, colors),
    ...[...meanLines(report, firstCall, colors), ...remarks(report)].map((line) => wrapped(line)),
  ].join('\n')
}

function head(report: BenchReport): string[] {
  const { adapter, machine, roof, versions, toggles, date, shader_caches, rounds, peers } = report
  const { f32, f16, i8 } = roof.flops
  const peaks = [
    `${three(f32 / 1e9)} GFLOP/s f32`,
    ...(f16 === undefined ? [] : [`${three(f16 / 1e9)} GFLOP/s f16`]),
    ...(i8 === undefined ? [] : [`${three(i8 / 1e9)} GOP/s i8`]),
  ]
  const when = `${date.slice(0, 16).replace('T', ' ')} UTC`
  return [
    `${adapterTitle(adapter)}, ${machine.processors} × ${machine.processor}, Node ${machine.node}, ${when}`,
    `Peaks measured: ${peaks.join(', ')} (register-only multiply-adds), ${three(roof.bytes_per_s / 1e9)} GB/s (copy).`,
    ...peers.flatMap((peer) => {
      const version = versions[peer]
      const set = toggles[peer] ?? []
      return version === undefined ? [] : [`${TITLES[peer]}: ${version}${set.length === 0 ? '' : `, Dawn: ${set.join(', ')}`}`]
    }),
    ...(versions['ort-webgpu'] === undefined ? [] : ['ONNX Runtime is built with robustness off: it has no safe figure.']),
    kernelLine(report),
    `Shader caches ${shader_caches}; ${rounds === 1 ? 'one round' : `${rounds} rounds`}; load average ${machine.load.toFixed(1)}.`,
    ...loadLines(machine),
  ]
}

function kernelLine({ bench, tuned, kernels }: BenchReport): string {
  const shipped = kernels.shipped === 0 ? '' : `, ${kernels.shipped} shipped`
  const how = tuned ? 'what tilewright tune kept on this adapter is used' : 'tuning is left out (--tuned takes it up)'
  const what = bench === 'model' ? 'kernels of nodes' : 'kernels'
  return `${what}: ${kernels.tuned} tuned${shipped}, ${kernels.rule} by rule; ${how}.`
}

function captioned(caption: string, columns: readonly Column[], cells: readonly (readonly string[])[], colors: Colors): string {
  return `${wrapped(caption, 0)}\n${table(columns, cells, colors)}`
}

function speedTable({ bench }: BenchReport, rows: readonly CaseRow[], others: readonly Peer[], colors: Colors): string {
  const columns: Column[] = [
    { title: 'Case' },
    right('time'),
    right('kernel'),
    right('GFLOP/s'),
    right('of roof'),
    { title: 'bound' },
    right('safe'),
    ...others.map((peer) => right(TITLES[peer])),
  ]
  const cells = rows.map((row) => [
    row.name,
    cell(row, 'tilewright', ({ resident_ms }) => duration(resident_ms)),
    cell(row, 'tilewright', ({ kernel_ms, kernel_doubtful }) =>
      kernel_ms === undefined ? undefined : `${duration(kernel_ms)}${kernel_doubtful === true ? '*' : ''}`,
    ),
    cell(row, 'tilewright', ({ gflops }) => three(gflops)),
    cell(row, 'tilewright', ({ share }) => `${(100 * share).toPrecision(2)} %`),
    row.bound,
    cell(row, 'tilewright-safe', ({ gflops }) => three(gflops)),
    ...others.map((peer) => cell(row, peer, ({ gflops }) => three(gflops))),
  ])
  const where = bench === 'model' ? 'inputs and results on the host' : 'operands and results on the device'
  const caption = `GFLOP/s, ${where}; of roof: of what the measured peaks allow, for f16 the larger of the f32 and f16 peaks`
  return captioned(caption, columns, cells, colors)
}

/** Whose kernel times contradict their wall times, and where. */
function doubtfulLine({ peers }: BenchReport, rows: readonly CaseRow[]): string[] {
  const found = peers.flatMap((peer) => {
    const names = rows.flatMap((row) => (figuresOf(row, peer)?.kernel_doubtful === true ? [row.name] : []))
    return names.length === 0 ? [] : [`${TITLES[peer]}: ${names.join(', ')}`]
  })
  if (found.length === 0) return []
  const why =
    "* By the device's clock the kernels take over 20 % longer than the whole run by the wall clock: in no ratio of kernels."
  return [wrapped(`${why} ${found.join('; ')}`)]
}

function ratioTable(rows: readonly CaseRow[], others: readonly Peer[], colors: Colors): string {
  // Whose kernels are timed by the device, at least in one case.
  const timed = (peer: Peer): boolean => rows.some((row) => figuresOf(row, peer)?.ratio?.kernel !== undefined)
  const columns = [
    { title: 'Case' },
    ...others.flatMap((peer) => [right(TITLES[peer]), ...(timed(peer) ? [right('in kernels')] : [])]),
  ]
  const cells = rows.map((row) => [
    row.name,
    ...others.flatMap((peer) => [
      cell(row, peer, (figures) => ratio(figures.ratio?.resident, colors)),
      ...(timed(peer) ? [cell(row, peer, (figures) => ratio(figures.ratio?.kernel, colors))] : []),
    ]),
  ])
  return captioned("Ours is so many times as fast; in kernels: by the device's clock", columns, cells, colors)
}

/** Ours with its safe build, or a peer. */
const shownOf = (peers: readonly Peer[]): Peer[] => peers.filter((peer) => peer !== 'tilewright-safe')

const FROM_OPENING = 'First call: the session made or the graph compiled, weights uploaded, one run; opening: the device, before it'
const FIRST: Readonly<Record<BenchReport['bench'], string>> = {
  gemm: 'First call: A from the host, shaders compiled, C on the host; opening: device or session opened and weights uploaded, before it',
  conv: FROM_OPENING,
  model: FROM_OPENING,
}

function firstTable({ bench, peers }: BenchReport, rows: readonly CaseRow[], colors: Colors): string {
  const shown = shownOf(peers)
  const columns = [{ title: 'Case' }, ...shown.flatMap((peer) => [right(TITLES[peer]), right('opening')])]
  const cells = rows.map((row) => [
    row.name,
    ...shown.flatMap((peer) => [
      cell(row, peer, ({ first_ms }) => duration(first_ms)),
      cell(row, peer, ({ open_ms }) => duration(open_ms)),
    ]),
  ])
  return captioned(FIRST[bench], columns, cells, colors)
}

function costTable(rows: readonly CaseRow[], peers: readonly Peer[], colors: Colors): string {
  const shown = shownOf(peers)
  const columns = [{ title: 'Case' }, ...shown.flatMap((peer) => [right(TITLES[peer]), right('memory')])]
  const cells = rows.map((row) => [
    row.name,
    ...shown.flatMap((peer) => [
      cell(row, peer, ({ end_to_end_ms }) => duration(end_to_end_ms)),
      cell(row, peer, ({ peak_rss_bytes }) => bytes(Math.round(peak_rss_bytes / 2 ** 20) * 2 ** 20)),
    ]),
  ])
  return captioned('End to end: inputs from the host, the result on the host; peak memory of the process', columns, cells, colors)
}

const REFERENCE: Readonly<Record<BenchReport['bench'], string>> = {
  gemm: 'in f64',
  conv: 'in f64, of all of Y where that is small, else of a sample',
  model: "by ONNX Runtime's CPU provider in f32",
}

function errorText(error: PeerFigures['error']): string | undefined {
  if (error === undefined) return undefined
  return `${scientific(error.relative)}${error.top1 === false ? ', other top 1' : ''}`
}

function errorTable({ bench, peers }: BenchReport, rows: readonly CaseRow[], colors: Colors): string {
  const shown = shownOf(peers)
  const columns = [{ title: 'Case' }, ...shown.map((peer) => right(TITLES[peer]))]
  const cells = rows.map((row) => [row.name, ...shown.map((peer) => cell(row, peer, ({ error }) => errorText(error)))])
  return captioned(`Error: max|Δ|/max|reference|, the reference ${REFERENCE[bench]}`, columns, cells, colors)
}

/** How ours runs each case, where that is its own choice among algorithms. */
function kernelLines({ bench }: BenchReport, rows: readonly CaseRow[], colors: Colors): string[] {
  if (bench !== 'conv') return []
  const told = rows.map((row): [string, string] => [
    row.name,
    cell(row, 'tilewright', ({ kernel }) => kernel?.replaceAll(/by rule: /g, '')),
  ])
  return [kernelList(told, colors), '']
}

/** What each case runs, whole: what does not fit a line goes on below it. */
export function kernelList(told: readonly (readonly [name: string, how: string])[], colors: Colors): string {
  const room = Math.max(0, ...told.map(([name]) => name.length)) + 2
  const lines = told.map(([name, how]) => wrapped(`${name.padEnd(room)}${how}`, room))
  return ['What ours runs, and why', colors.dim('─'.repeat(WIDTH)), ...lines].join('\n')
}

/** Of a processor for each that there is, what others may take before figures are not quiet; of the load before, likewise. */
const QUIET = { others: 0.1, load: 0.5 } as const

/** Why figures are not to be taken at their word, where other work was going on. */
export function loadLines(
  { load_before, processors }: Machine,
  busy: readonly { readonly name: string; readonly busy_others?: number }[] = [],
): string[] {
  const noisy = busy.filter(({ busy_others = 0 }) => busy_others > QUIET.others * processors)
  const most = Math.max(0, ...noisy.map(({ busy_others = 0 }) => busy_others))
  const where = noisy.length === busy.length ? 'all cases' : noisy.map(({ name }) => name).join(', ')
  return [
    ...(load_before > QUIET.load * processors
      ? [`Not quiet: the load average was ${load_before.toFixed(1)} on ${processors} processors before the bench began.`]
      : []),
    ...(noisy.length === 0
      ? []
      : [
          `Not quiet: other processes kept up to ${most.toFixed(1)} of ${processors} processors busy; take these figures for rough: ${where}.`,
        ]),
  ]
}

/** Geometric means by family. */
function familyTable({ means, peers }: BenchReport, colors: Colors): string[] {
  const shown = peers.flatMap((peer) => {
    const families = means[peer]?.families
    return families === undefined || peer.startsWith('tilewright') ? [] : [{ peer, families }]
  })
  const names = [...new Set(shown.flatMap(({ families }) => Object.keys(families)))]
  if (names.length === 0) return []
  const columns = [{ title: 'Family' }, ...shown.flatMap(({ peer }) => [right(TITLES[peer]), right('least'), right('first')])]
  const figures = (mean: FamilyMean | undefined): string[] =>
    mean === undefined
      ? ['–', '–', '–']
      : [ratio(mean.resident, colors), ratio(mean.least.resident, colors), ratio(mean.first, colors)].map((text) => text ?? '–')
  const cells = names.map((name) => [name, ...shown.flatMap(({ families }) => figures(families[name]))])
  return [captioned('Ours is so many times as fast, by family: geometric mean, least case, first call', columns, cells, colors), '']
}

function meanLines({ means, peers }: BenchReport, firstCall: boolean, colors: Colors): string[] {
  return peers.flatMap((peer) => {
    const mean = means[peer]
    if (mean === undefined) return []
    const { cases, resident, first, end_to_end, kernel, kernel_cases, least, slowest_first } = mean
    const part = kernel_cases === cases ? '' : ` (${kernel_cases} of them)`
    const more = [
      ...(kernel === undefined ? [] : [`${times(kernel)} in kernel time${part}`]),
      `${times(end_to_end)} end to end`,
      ...(firstCall ? [`${times(first)} in the first call (least ${times(slowest_first.first)}, ${slowest_first.case})`] : []),
    ]
    const name = peer === 'tilewright-safe' ? 'our safe build (robustness and validation on)' : TITLES[peer]
    const over = `in geometric mean over ${cases} ${cases === 1 ? 'case' : 'cases'} that both hold; least ${times(least.resident)}, ${least.case}`
    return [`${colors.bold(`${times(resident)} as fast as ${name}`)} ${over}; ${more.join(', ')}.`]
  })
}

/** What was left out, and who could not hold what: each reason once, with its cases. */
function remarks({ cases, complete }: BenchReport): string[] {
  const reasons = new Map<string, string[]>()
  const add = (reason: string, name: string): void => void reasons.set(reason, [...(reasons.get(reason) ?? []), name])
  const unheld: string[] = []
  for (const { name, left_out, peers } of cases) {
    if (left_out !== undefined) add(`not run: ${left_out}`, name)
    if (peers.tilewright?.status === 'ok' && peers.tilewright.error === undefined) unheld.push(name)
    for (const [peer, row] of Object.entries(peers)) if (row.status !== 'ok') add(`${TITLES[peer as Peer]}: ${row.reason}`, name)
  }
  return [
    ...[...reasons].map(([reason, names]) => `Left out of the means, ${reason}: ${names.join(', ')}`),
    ...(unheld.length === 0 ? [] : [`Results held against nothing, as ort-cpu is not among the peers: ${unheld.join(', ')}`]),
    ...(complete ? [] : ['Stopped before the end: what is above is what there was.']),
  ]
}
