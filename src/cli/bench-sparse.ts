/** The sparse bench for people: its cases, its tables, and a chart of where formats break even. */
import { convOutput } from '../../bench/cases/conv.ts'
import { SPARSE, type SparseCase } from '../../bench/cases/sparse.ts'
import {
  ratioOf,
  type Crossing,
  type Figures,
  type PeerTime,
  type PointFigures,
  type SparseReport,
  type SparseRow,
} from '../../bench/sparse/report.ts'
import { kernelList, loadLines, right, three, times, TITLES } from './bench-table.ts'
import type { Colors } from './context.ts'
import { adapterTitle } from './gpu.ts'
import { dimensions, duration, scientific, short, table, wrapped, type Column } from './table.ts'

/** Red where the sparse one is the slower. */
function ratio(value: number | undefined, colors: Colors): string {
  if (value === undefined) return '–'
  return value < 1 ? colors.red(times(value)) : times(value)
}

export function listSparse(cases: readonly SparseCase[], colors: Colors): string {
  const rows = cases.map((item) => [
    item.name,
    item.family,
    item.dtype,
    sizeOf(item),
    SPARSE.macs(item) === 0 ? '–' : short(2 * SPARSE.macs(item)),
  ])
  return table([{ title: 'Case' }, { title: 'Family' }, { title: 'Weights' }, { title: 'Size' }, right('dense FLOP')], rows, colors)
}

function sizeOf(item: SparseCase): string {
  if ('layer' in item) {
    const { channels, size, filters, kernel, batch } = item.layer
    return `${dimensions([batch, channels, ...size])}, ${filters} of ${dimensions(kernel)}, to ${dimensions(convOutput(item.layer))}`
  }
  return 'm' in item ? dimensions([item.m, item.k, item.n]) : `${item.count} values`
}

/** At most 120 columns wide. */
export function renderSparse(report: SparseReport, colors: Colors): string {
  const rows = report.cases.filter(({ left_out, fault }) => left_out === undefined && fault === undefined)
  const of = (family: SparseRow['family']): SparseRow[] => rows.filter((row) => row.family === family)
  const sections = [
    besides(report, of('2:4'), `2:4 × dense beside our dense kernel of the same product; ${BESIDE}`, colors),
    besides(report, of('2:4-conv'), `2:4 convolutions beside our dense ones; ${BESIDE}`, colors),
    ...of('break-even').map((row) => breakEven(row, report.adapter.software, colors)),
    crossings(of('break-even'), colors),
    ...of('run-length').map((row) => runLength(row, colors)),
    errors(rows, colors),
    kernels(rows, colors),
  ]
  return [
    ...head(report).map((line) => wrapped(line)),
    '',
    ...legend(report, rows).map((line) => wrapped(line)),
    ...sections.filter((text) => text !== '').flatMap((text) => ['', text]),
    '',
    ...[...means(report, colors), ...remarks(report)].map((line) => wrapped(line)),
  ].join('\n')
}

const BESIDE = 'dense is the faster of W [K, N] and [N, K]; of bytes: share of what the ratio would be were bytes all'

/** What the columns are, once. */
function legend({ adapter }: SparseReport, rows: readonly SparseRow[]): string[] {
  if (rows.length === 0) return []
  const doubtful = rows.flatMap(({ name, points }) => (points.some(isDoubtful) ? [name] : []))
  return [
    'Times: medians of runs whose operands stay on the device, sparse and dense sampled in turns; ratio: the dense time shown over ' +
      'the other one; ±: half of what lies between the quartiles of the ratios of neighbouring samples.',
    "In kernels: the same of medians by the device's clock, of runs one by one between those samples; " +
      `GB/s: bytes over ${adapter.software ? 'the time shown' : "the kernels' time"}.`,
    ...(doubtful.length === 0
      ? []
      : [
          `* One run alone took over 20 % longer by the device's clock than one of many by the wall clock: in no ratio. ${doubtful.join(', ')}`,
        ]),
  ]
}

function isDoubtful({ ratio: wall, kernel_ratio, dense_kernel_ms }: PointFigures): boolean {
  return wall !== undefined && dense_kernel_ms !== undefined && kernel_ratio === undefined
}

function kernelRatio(point: PointFigures | undefined, colors: Colors): string {
  return point !== undefined && isDoubtful(point) ? '*' : ratio(point?.kernel_ratio, colors)
}

const spread = (point: PointFigures | undefined): string => (point?.spread === undefined ? '–' : point.spread.toFixed(2))

function head({ adapter, machine, roof, versions, date, rounds, tuned, seconds, cases }: SparseReport): string[] {
  const when = `${date.slice(0, 16).replace('T', ' ')} UTC`
  const { f32, f16 } = roof.flops
  const peaks = [`${three(f32 / 1e9)} GFLOP/s f32`, ...(f16 === undefined ? [] : [`${three(f16 / 1e9)} GFLOP/s f16`])]
  return [
    `${adapterTitle(adapter)}, ${machine.processors} × ${machine.processor}, Node ${machine.node}, ${when}`,
    `Peaks measured: ${peaks.join(', ')} (register-only multiply-adds), ${three(roof.bytes_per_s / 1e9)} GB/s (copy).`,
    ...Object.entries(versions).map(
      ([peer, version]) => `${peer}: ${version}${peer === 'tilewright' ? '' : ', on the dense product'}`,
    ),
    `Kernels ${tuned ? 'as tilewright tune kept them on this adapter, else by rule' : 'by rule'}, dense and sparse alike.`,
    `${rounds === 1 ? 'One round' : `${rounds} rounds`}, ${seconds.toFixed(0)} s in all; load average ${machine.load.toFixed(1)}.`,
    ...loadLines(
      machine,
      cases.filter(({ points }) => points.length > 0),
    ),
  ]
}

function captioned(caption: string, columns: readonly Column[], cells: readonly (readonly string[])[], colors: Colors): string {
  return `${wrapped(caption, 0)}\n${table(columns, cells, colors)}`
}

function besides({ peers, adapter }: SparseReport, rows: readonly SparseRow[], caption: string, colors: Colors): string {
  if (rows.length === 0) return ''
  const others = peers.filter((peer) => peer !== 'tilewright')
  const columns = [
    { title: 'Case' },
    right('dense'),
    right('2:4'),
    right('ratio'),
    right('±'),
    right('in kernels'),
    right('of bytes'),
    ...others.map((peer) => right(TITLES[peer])),
  ]
  const cells = rows.map((row) => {
    const [point] = row.points
    const share = point === undefined ? undefined : ratioOf(point, adapter.software)
    return [
      row.name,
      denseTime(point),
      cell(point, ({ ms, wrong }) => `${duration(ms)}${wrong === true ? ' wrong' : ''}`),
      ratio(point?.ratio, colors),
      spread(point),
      kernelRatio(point, colors),
      share === undefined || point?.byte_ratio === undefined ? '–' : `${Math.round((100 * share) / point.byte_ratio)} %`,
      ...others.map((peer) => peerText(row.peers[peer])),
    ]
  })
  return `${captioned(caption, columns, cells, colors)}\n\n${moved(rows, colors)}`
}

/** Bytes and bandwidths of both. */
function moved(rows: readonly SparseRow[], colors: Colors): string {
  const columns = [
    { title: 'Case' },
    right('dense MB'),
    right('2:4 MB'),
    right('bytes'),
    right('dense GB/s'),
    right('2:4 GB/s'),
    { title: '' },
  ]
  const cells = rows.map(({ name, dense, points: [point] }) => [
    name,
    cell(dense, ({ bytes }) => three(bytes / 1e6)),
    cell(point, ({ bytes }) => three(bytes / 1e6)),
    point?.byte_ratio === undefined ? '–' : times(point.byte_ratio),
    cell(dense, ({ gb_per_s }) => three(gb_per_s)),
    cell(point, ({ gb_per_s }) => three(gb_per_s)),
    point === undefined || point.label === '2:4' ? '' : point.label,
  ])
  return captioned('Bytes of weights, activations and result, each once, and how many a second', columns, cells, colors)
}

function cell<F extends Figures>(figures: F | undefined, show: (figures: F) => string): string {
  return figures === undefined ? '–' : show(figures)
}

const denseTime = (point: PointFigures | undefined): string => (point?.dense_ms === undefined ? '–' : duration(point.dense_ms))

function peerText(time: PeerTime | undefined): string {
  return time?.status === 'ok' ? duration(time.ms) : '–'
}

/** Columns of the chart, of which the dense kernel's time takes half. */
const BAR = 40
const DENSE_AT = BAR / 2

/**
 * A bar for each density, as long as the format takes, beside a line where the dense kernel ends:
 *
 *     0.5    ██████████████████████│████████████▶      slower than dense
 *     0.1    ██████████            │                   faster
 */
function bar(part: number, colors: Colors): string {
  const length = Math.max(1, Math.round(part * DENSE_AT))
  const cells = Array.from({ length: BAR }, (_, at) => {
    const filled = at < length
    if (at === DENSE_AT) return '│'
    return at === BAR - 1 && length > BAR ? '▶' : filled ? '█' : ' '
  }).join('')
  return part > 1 ? colors.red(cells) : cells
}

function breakEven(row: SparseRow, software: boolean, colors: Colors): string {
  const { name, points, dense, crossing } = row
  const columns = [
    right('density'),
    right('dense'),
    right('time'),
    right('ratio'),
    right('±'),
    right('in kernels'),
    right('MB'),
    { title: 'time, dense to the line' },
  ]
  const cells = points.map((point) => {
    const faster = ratioOf(point, software)
    return [
      String(point.density),
      denseTime(point),
      `${duration(point.ms)}${point.wrong === true ? ' wrong' : ''}`,
      ratio(point.ratio, colors),
      spread(point),
      kernelRatio(point, colors),
      three(point.weight_bytes / 1e6),
      faster === undefined ? '–' : bar(1 / faster, colors),
    ]
  })
  const beside = dense === undefined ? '' : `, dense ${three(dense.weight_bytes / 1e6)} MB of weights`
  const what = row.family === 'break-even' && row.format === 'zero-skipping' ? 'density of activations' : 'density of weights'
  return captioned(`${name}: ${what}${beside}; ${crossingText(crossing)}`, columns, cells, colors)
}

/** As `breaks even at a density of 0.21`. */
export function crossingText(crossing: Crossing | undefined): string {
  if (crossing === undefined) return 'nothing was compared'
  if ('at' in crossing) return `breaks even at a density of ${crossing.at.toPrecision(2)}`
  if ('above' in crossing) return `faster than dense at every density up to ${crossing.above}`
  return `slower than dense even at a density of ${crossing.below}`
}

function crossings(rows: readonly SparseRow[], colors: Colors): string {
  if (rows.length === 0) return ''
  const cells = rows.map(({ name, crossing }) => [name, crossingText(crossing)])
  return captioned(
    'Break-even: between densities, log ratio over log density',
    [{ title: 'Case' }, { title: 'Against our dense kernel' }],
    cells,
    colors,
  )
}

function runLength({ name, points }: SparseRow, colors: Colors): string {
  const columns = [
    right('zeros'),
    right('code / plain'),
    right('expected'),
    right('encode'),
    right('GB/s'),
    right('decode'),
    right('GB/s'),
  ]
  const find = (label: string, density: number): PointFigures | undefined =>
    points.find((point) => point.label === label && point.density === density)
  const cells = [...new Set(points.map(({ density }) => density))].map((density) => {
    const [encode, decode] = [find('encode', density), find('decode', density)]
    const figure = (value: number | undefined): string => (value === undefined ? '–' : value.toFixed(3))
    return [
      `${((1 - density) * 100).toFixed(0)} %`,
      figure(encode?.code_ratio),
      figure(encode?.expected_code_ratio),
      cell(encode, ({ ms }) => duration(ms)),
      cell(encode, ({ gb_per_s }) => three(gb_per_s)),
      cell(decode, ({ ms }) => duration(ms)),
      cell(decode, ({ gb_per_s }) => three(gb_per_s)),
    ]
  })
  return captioned(
    `${name}: bytes of the code (5-bit runs) over those of 16-bit values, zeros at random; expected: the closed form`,
    columns,
    cells,
    colors,
  )
}

function errors(rows: readonly SparseRow[], colors: Colors): string {
  const worst = (points: readonly PointFigures[]): string =>
    points.length === 0 ? '–' : scientific(Math.max(...points.map(({ error }) => error.relative)))
  const cells = rows.map((row) => [row.name, cell(row.dense, ({ error }) => scientific(error.relative)), worst(row.points)])
  const columns = [{ title: 'Case' }, right('dense'), right('sparse, worst')]
  const caption = 'Error: max|Δ|/max|reference| of the first call, the reference in f64 (of codes: the share of words that differ)'
  return cells.length === 0 ? '' : captioned(caption, columns, cells, colors)
}

/** How each is run. */
function kernels(rows: readonly SparseRow[], colors: Colors): string {
  const told = rows.flatMap(({ name, dense, points: [point] }): [string, string][] => [
    ...(dense === undefined ? [] : [[name, `dense   ${dense.kernel}`] satisfies [string, string]]),
    ...(point === undefined ? [] : [[name, `sparse  ${point.kernel}`] satisfies [string, string]]),
  ])
  return told.length === 0 ? '' : kernelList(told, colors)
}

function means({ means, adapter }: SparseReport, colors: Colors): string[] {
  const by = adapter.software ? '' : ' in kernels'
  return means.map(({ what, cases, ratio: mean, byte_ratio }) => {
    const over = `in geometric mean over ${cases} ${cases === 1 ? 'case' : 'cases'}`
    return `${what}: ${colors.bold(`${times(mean)} as fast as our dense kernels${by}`)} ${over}; bytes alone would give ${times(byte_ratio)}.`
  })
}

function remarks({ cases, complete }: SparseReport): string[] {
  const reasons = new Map<string, string[]>()
  const add = (reason: string, name: string): void => void reasons.set(reason, [...(reasons.get(reason) ?? []), name])
  for (const { name, left_out, fault, unheld, peers } of cases) {
    if (left_out !== undefined) add(`Not run, ${left_out}`, name)
    if (fault !== undefined) add(`No figures: ${fault}`, name)
    for (const { label, reason } of unheld) add(`${label}: ${reason}`, name)
    for (const [peer, time] of Object.entries(peers)) if (time.status !== 'ok') add(`${peer}: ${time.reason}`, name)
  }
  return [
    ...[...reasons].map(([reason, names]) => `${reason}: ${[...new Set(names)].join(', ')}`),
    ...(complete ? [] : ['Stopped before the end: what is above is what there was.']),
  ]
}
