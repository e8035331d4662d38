/** The bench's tables for people: speed under the roof and beside the peers, then first calls, memory and errors, and the means. */
import type { Peer } from '../../bench/gemm/protocol.ts'
import type { BenchReport, CaseRow, PeerFigures } from '../../bench/gemm/report.ts'
import type { Colors } from './context.ts'
import { adapterTitle } from './gpu.ts'
import { bytes, duration, scientific, table, type Column } from './table.ts'

/** What heads a peer's columns. */
const TITLES: Readonly<Record<Peer, string>> = {
  tilewright: 'ours',
  'tilewright-safe': 'safe',
  'ort-webgpu': 'ORT WebGPU',
  'ort-cpu': 'ORT CPU',
  'tfjs-webgpu': 'tfjs',
}

const right = (title: string): Column => ({ title, align: 'right' })
const three = (value: number): string => (value >= 1000 ? value.toFixed(0) : value.toPrecision(3))
const times = (value: number): string => `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)}×`

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
    ...head(report),
    '',
    speedTable(run, others, colors),
    '',
    ...(firstCall ? [firstTable(run, report.peers, colors), ''] : []),
    costTable(run, report.peers, colors),
    '',
    ...meanLines(report, firstCall, colors),
    ...remarks(report),
  ].join('\n')
}

function head({ adapter, machine, roof, versions, toggles, date, shader_caches, rounds, peers }: BenchReport): string[] {
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
    `Shader caches ${shader_caches}; ${rounds === 1 ? 'one round' : `${rounds} rounds`}; load average ${machine.load.toFixed(1)}.`,
  ]
}

function speedTable(rows: readonly CaseRow[], others: readonly Peer[], colors: Colors): string {
  // Whose kernels are timed by the device, at least in one case.
  const timed = (peer: Peer): boolean => rows.some((row) => figuresOf(row, peer)?.ratio?.kernel !== undefined)
  const columns: Column[] = [
    { title: 'Case' },
    right('time'),
    right('kernel'),
    right('GFLOP/s'),
    right('of roof'),
    { title: 'bound' },
    right('safe'),
    ...others.flatMap((peer) => [right(TITLES[peer]), right('ours is'), ...(timed(peer) ? [right('in kernels')] : [])]),
  ]
  const cells = rows.map((row) => [
    row.name,
    cell(row, 'tilewright', ({ resident_ms }) => duration(resident_ms)),
    cell(row, 'tilewright', ({ kernel_ms }) => (kernel_ms === undefined ? undefined : duration(kernel_ms))),
    cell(row, 'tilewright', ({ gflops }) => three(gflops)),
    cell(row, 'tilewright', ({ share }) => `${(100 * share).toPrecision(2)} %`),
    row.bound,
    cell(row, 'tilewright-safe', ({ gflops }) => three(gflops)),
    ...others.flatMap((peer) => [
      cell(row, peer, ({ gflops }) => three(gflops)),
      cell(row, peer, (figures) => ratio(figures.ratio?.resident, colors)),
      ...(timed(peer) ? [cell(row, peer, (figures) => ratio(figures.ratio?.kernel, colors))] : []),
    ]),
  ])
  return `GFLOP/s, operands and results on the device\n${table(columns, cells, colors)}`
}

/** Ours with its safe build, or a peer. */
const shownOf = (peers: readonly Peer[]): Peer[] => peers.filter((peer) => peer !== 'tilewright-safe')

function firstTable(rows: readonly CaseRow[], peers: readonly Peer[], colors: Colors): string {
  const shown = shownOf(peers)
  const columns = [{ title: 'Case' }, ...shown.flatMap((peer) => [right(TITLES[peer]), right('after opening')])]
  const cells = rows.map((row) => [
    row.name,
    ...shown.flatMap((peer) => [
      cell(row, peer, ({ first_ms }) => duration(first_ms)),
      cell(row, peer, ({ open_ms }) => duration(open_ms)),
    ]),
  ])
  const title =
    'First call: A from the host, shaders compiled, C on the host; before it the device or session was opened, weights in it'
  return `${title}\n${table(columns, cells, colors)}`
}

function costTable(rows: readonly CaseRow[], peers: readonly Peer[], colors: Colors): string {
  const shown = shownOf(peers)
  const columns = [{ title: 'Case' }, ...shown.flatMap((peer) => [right(TITLES[peer]), right('memory'), right('error')])]
  const cells = rows.map((row) => [
    row.name,
    ...shown.flatMap((peer) => [
      cell(row, peer, ({ end_to_end_ms }) => duration(end_to_end_ms)),
      cell(row, peer, ({ peak_rss_bytes }) => bytes(Math.round(peak_rss_bytes / 2 ** 20) * 2 ** 20)),
      cell(row, peer, ({ error }) => scientific(error.relative)),
    ]),
  ])
  const title =
    'End to end: A from the host, C on the host; peak memory of the process; max|Δ|/max|reference|, the reference in f64'
  return `${title}\n${table(columns, cells, colors)}`
}

function meanLines({ means, peers }: BenchReport, firstCall: boolean, colors: Colors): string[] {
  return peers.flatMap((peer) => {
    const mean = means[peer]
    if (mean === undefined) return []
    const { cases, resident, first, end_to_end, kernel, least, slowest_first } = mean
    const more = [
      ...(kernel === undefined ? [] : [`${times(kernel)} in kernel time`]),
      `${times(end_to_end)} end to end`,
      ...(firstCall ? [`${times(first)} in the first call (least ${times(slowest_first.first)}, ${slowest_first.case})`] : []),
    ]
    const name = peer === 'tilewright-safe' ? 'ours with robustness and validation' : TITLES[peer]
    const over = `in geometric mean over ${cases} cases that both hold; least ${times(least.resident)}, ${least.case}`
    return [`${colors.bold(`${times(resident)} ${name}`)} ${over}; ${more.join(', ')}.`]
  })
}

/** What was left out, and who could not hold what: each reason once, with its cases. */
function remarks({ cases, complete }: BenchReport): string[] {
  const reasons = new Map<string, string[]>()
  const add = (reason: string, name: string): void => void reasons.set(reason, [...(reasons.get(reason) ?? []), name])
  for (const { name, left_out, peers } of cases) {
    if (left_out !== undefined) add(`not run: ${left_out}`, name)
    for (const [peer, row] of Object.entries(peers)) if (row.status !== 'ok') add(`${TITLES[peer as Peer]}: ${row.reason}`, name)
  }
  return [
    ...[...reasons].map(([reason, names]) => `Left out of the means, ${reason}: ${names.join(', ')}`),
    ...(complete ? [] : ['Stopped before the end: what is above is what there was.']),
  ]
}
