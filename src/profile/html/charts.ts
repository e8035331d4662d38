/** Which charts the page has, and from which rows each is drawn. Figures of the model and figures of the clock never share one. */
import type { Operand } from '../../schedule/problem.ts'
import { OPERANDS } from '../../schedule/problem.ts'
import type { ProfileReport } from '../report.ts'
import type { Datum } from './bars.ts'
import { bars } from './bars.ts'
import type { View } from './controls.ts'
import type { OperandAccesses, Part, Row } from './data.ts'
import { accessesOf, energyByLevel, energyByOperand, energyUnit, figuresOf, intensityOf, levelsOf } from './data.ts'
import type { Figure } from './figure.ts'
import { emptyFigure, figure } from './figure.ts'
import { duration, listed, plural, ratio, si } from './format.ts'
import type { Swatch } from './palette.ts'
import { MAC, NETWORK, OPERAND_SWATCHES, dataflowSwatch, levelSwatch } from './palette.ts'
import { ceilings, countedPredicted, roofline } from './scatter.ts'

export interface Scene {
  readonly report: ProfileReport
  /** Rows the reader chose. */
  readonly rows: readonly Row[]
  readonly view: View
}

const layersOf = (rows: readonly Row[]) => [...new Set(rows.map(({ layer }) => layer))]
const dataflowsIn = (rows: readonly Row[]) => [...new Set(rows.map(({ dataflow }) => dataflow))]
const isOperand = (group: string): group is Operand => OPERANDS.some((operand) => operand === group)

function partSwatch(levels: readonly string[]): (group: string) => Swatch {
  return (group) => {
    if (group === 'MAC') return MAC
    if (group === 'network') return NETWORK
    if (isOperand(group)) return OPERAND_SWATCHES[group]
    return levelSwatch(group, levels.indexOf(group), levels.length)
  }
}

/** Sums over the chosen layers, one bar per dataflow. */
function summed(parts: readonly Part[], rows: readonly Row[], perMac: boolean, describe: (value: number) => string): Datum[] {
  const layers = layersOf(rows).length
  const sums = new Map<string, { dataflow: string; group: string; value: number; layers: number; macs: number; failed: boolean }>()
  for (const { row, group, value } of parts) {
    const key = `${row.dataflow}\n${group}`
    const sum = sums.get(key) ?? { dataflow: row.dataflow, group, value: 0, layers: 0, macs: 0, failed: false }
    const failed = sum.failed || row.status === 'failed'
    sums.set(key, { ...sum, value: sum.value + value, layers: sum.layers + 1, macs: sum.macs + row.macs, failed })
  }
  return [...sums.values()].map(({ dataflow, group, value: sum, layers: had, macs, failed }) => {
    const value = perMac ? sum / macs : sum
    const short = had < layers
    const lacks = short ? `\n${had} of ${plural(layers, 'layer')}` : ''
    return {
      layer: '',
      dataflow,
      group,
      value,
      failed,
      short,
      title: `${dataflow}${group === dataflow ? '' : ` · ${group}`}\n${describe(value)}${lacks}`,
    }
  })
}

/** One bar per layer and dataflow. */
function byLayer(parts: readonly Part[], perMac: boolean, describe: (value: number) => string): Datum[] {
  return parts.map(({ row, group, value: whole }) => {
    const { layer, dataflow, macs, status } = row
    const value = perMac ? whole / macs : whole
    const title = `${layer} · ${dataflow}${group === dataflow ? '' : ` · ${group}`}\n${describe(value)}`
    return { layer, dataflow, group, value, title, failed: status === 'failed' }
  })
}

function shortNote(data: readonly Datum[]): string | undefined {
  const short = [...new Set(data.filter((datum) => datum.short).map(({ dataflow }) => dataflow))]
  return short.length > 0 ? `Pale bars lack figures for some layers: ${listed(short)}.` : undefined
}

function layerNote({ rows, view }: Scene): string {
  const layers = layersOf(rows)
  if (layers.length === 1) return layers[0] ?? ''
  return `${view.layers === 'all' ? 'all' : view.layers === 'conv' ? 'CONV' : 'FC'} layers, ${layers.length} in all`
}

const legendOf = (groups: readonly string[], swatch: (group: string) => Swatch) =>
  groups.map((key) => ({ key, swatch: swatch(key) }))

interface BarFigure {
  readonly scene: Scene
  readonly title: string
  readonly tag: 'measured' | 'modelled'
  readonly data: readonly Datum[]
  readonly groups: readonly string[]
  readonly swatch: (group: string) => Swatch
  readonly label: string
  readonly unit?: string
  readonly wide?: boolean
  readonly notes?: readonly (string | false | undefined)[]
  readonly height?: number
}

function barFigure({ scene, title, tag, data, groups, swatch, label, unit, wide = false, notes = [], height }: BarFigure): Figure {
  const { rows, view } = scene
  if (data.length === 0) return emptyFigure(title, tag, 'No row of this selection has this figure.', wide)
  const layers = wide ? layersOf(rows) : ['']
  const drawn = new Set(data.map(({ dataflow }) => dataflow))
  const dataflows = dataflowsIn(rows).filter((dataflow) => drawn.has(dataflow))
  const absent = dataflowsIn(rows).filter((dataflow) => !drawn.has(dataflow))
  const stacks = groups.some((group) => !dataflows.includes(group))
  const zeros = data.filter(({ value }) => value === 0).length
  return figure({
    title,
    tag,
    wide,
    // Where layers head the groups, the axis's name would run into theirs: it stands beside the title.
    unit: unit ?? label,
    legend: stacks || layers.length > 1 ? legendOf(groups, swatch) : [],
    notes: [
      ...notes,
      shortNote(data),
      data.some(({ failed }) => failed === true) && '✗ marks a row that failed its check.',
      absent.length > 0 && `Without this figure: ${listed(absent)}.`,
      view.log && stacks && 'On a logarithmic scale stacks have no honest height: each part is a dot.',
      view.log && zeros > 0 && `${plural(zeros, 'part')} of zero cannot be shown on a logarithmic scale.`,
    ],
    draw: (width) => {
      const base = {
        data,
        layers: layers.length === 1 ? [data[0]?.layer ?? ''] : layers,
        dataflows,
        groups,
        swatch,
        width,
        log: view.log,
        label,
      }
      return bars({ ...base, ariaLabel: `${title}, ${tag}: ${spoken(data)}`, ...(height === undefined ? {} : { height }) })
    },
  })
}

/** The chart's gist for who cannot see it: the least and the most of the bars. */
function spoken(data: readonly Datum[]): string {
  const sums = new Map<string, number>()
  for (const { layer, dataflow, value } of data) {
    const key = layer === '' ? dataflow : `${dataflow} on ${layer}`
    sums.set(key, (sums.get(key) ?? 0) + value)
  }
  const order = [...sums].toSorted((a, b) => a[1] - b[1])
  const [least] = order
  const most = order.at(-1)
  if (least === undefined || most === undefined) return 'no bars'
  return `${plural(order.length, 'bar')}, least ${least[0]} with ${si(least[1])}, most ${most[0]} with ${si(most[1])}. The tables below hold every figure.`
}

function timeParts(rows: readonly Row[]): Part[] {
  return rows.flatMap((row) => (row.result.time_ms === undefined ? [] : [{ row, group: row.dataflow, value: row.result.time_ms }]))
}

function spread(rows: readonly Row[], data: readonly Datum[], perMac: boolean): Datum[] {
  const found = new Map(rows.map((row) => [`${row.layer}\n${row.dataflow}`, row]))
  return data.map((datum) => {
    const row = found.get(`${datum.layer}\n${datum.dataflow}`)
    const samples = row?.result.samples_ms ?? []
    if (row === undefined || samples.length < 2) return datum
    const scale = perMac ? 1e9 / row.macs : 1
    return { ...datum, low: Math.min(...samples) * scale, high: Math.max(...samples) * scale }
  })
}

const softwareNote = ({ report }: Scene) => report.adapter.software && 'Taken on a software adapter: ranks nothing.'

function timeFigures(scene: Scene): { sum: Figure; layers: Figure; rate: Figure } {
  const { rows, view } = scene
  // Whole times are drawn in ms; per MAC in picoseconds.
  const describe = (value: number) => (view.perMac ? `${si(value)} ps per MAC` : duration(value))
  const parts = timeParts(rows).map((part) => (view.perMac ? { ...part, value: part.value * 1e9 } : part))
  const label = view.perMac ? 'ps per MAC' : 'ms'
  const groups = dataflowsIn(rows)
  const base = { scene, tag: 'measured' as const, groups, swatch: dataflowSwatch, label }
  const rates = rows.flatMap((row) =>
    row.result.gflops === undefined ? [] : [{ row, group: row.dataflow, value: row.result.gflops }],
  )
  return {
    sum: barFigure({
      ...base,
      title: 'Time',
      unit: layerNote(scene),
      data: summed(parts, rows, view.perMac, describe),
      notes: [softwareNote(scene)],
      height: 270,
    }),
    layers: barFigure({
      ...base,
      title: 'Time, layer by layer',
      data: spread(rows, byLayer(parts, view.perMac, describe), view.perMac),
      wide: true,
      notes: [softwareNote(scene), scene.report.samples > 1 && 'Thin lines: the fastest and the slowest sample.'],
    }),
    rate: barFigure({
      ...base,
      title: 'Rate, layer by layer',
      label: 'GFLOP/s',
      data: byLayer(rates, false, (value) => `${si(value)} GFLOP/s`),
      wide: true,
      notes: [softwareNote(scene), 'Two operations per MAC, over the time of the fast build.'],
    }),
  }
}

function energyFigures(scene: Scene): { levels: Figure; operands: Figure; layerLevels: Figure; layerOperands: Figure } {
  const { rows, view, report } = scene
  const unit = energyUnit(report)
  const describe = (value: number) => `${si(value)} ${unit.short}${view.perMac ? ' per MAC' : ''}`
  const predicted = rows.flatMap((row) => (row.result.predicted === undefined ? [] : [{ row, evaluation: row.result.predicted }]))
  const byLevels = predicted.flatMap(({ row, evaluation }) => energyByLevel(row, evaluation))
  const byOperands = predicted.flatMap(({ row, evaluation }) => energyByOperand(row, evaluation))
  const levels = levelsOf(rows)
  const swatch = partSwatch(levels)
  const label = `${unit.short}${view.perMac ? ' per MAC' : ''}`
  const levelGroups = [...levels, 'network', 'MAC']
  const operandGroups = byOperands.some(({ group }) => group === 'MAC') ? [...OPERANDS, 'MAC'] : [...OPERANDS]
  const base = { scene, tag: 'modelled' as const, swatch, label }
  const whose =
    report.hardware === 'gpu'
      ? 'with the published costs of an accelerator, on this GPU seen as one'
      : `as ${report.hardware} would spend it`
  const note = `Energy ${unit.words}, ${whose}.`
  const sum = (parts: readonly Part[]) => summed(parts, rows, view.perMac, describe)
  const each = (parts: readonly Part[]) => byLayer(parts, view.perMac, describe)
  const small = { unit: layerNote(scene), height: 270 }
  return {
    levels: barFigure({ ...base, ...small, title: 'Energy by level', groups: levelGroups, data: sum(byLevels), notes: [note] }),
    operands: barFigure({ ...base, ...small, title: 'Energy by operand', groups: operandGroups, data: sum(byOperands) }),
    layerLevels: barFigure({
      ...base,
      title: 'Energy by level, layer by layer',
      groups: levelGroups,
      data: each(byLevels),
      wide: true,
      notes: [note],
    }),
    layerOperands: barFigure({
      ...base,
      title: 'Energy by operand, layer by layer',
      groups: operandGroups,
      data: each(byOperands),
      wide: true,
    }),
  }
}

export type AccessKind = Exclude<keyof OperandAccesses, 'operand'>

/** One chart per storage level: their scales differ by orders of magnitude. */
export function accessFigures(scene: Scene, kind: AccessKind): Figure[] {
  const { rows, view } = scene
  const levels = levelsOf(rows)
  const describe = (value: number) => `${si(value)} words${view.perMac ? ' per MAC' : ''}`
  return levels.map((level) => {
    const parts = rows.flatMap((row) =>
      row.result.predicted === undefined
        ? []
        : accessesOf(row.result.predicted, level).map((found) => ({ row, group: found.operand as string, value: found[kind] })),
    )
    const title = `${level} ${kind === 'all' ? 'accesses' : kind}`
    const data = summed(parts, rows, view.perMac, describe)
    const label = view.perMac ? 'words per MAC' : 'words'
    return barFigure({
      scene,
      title,
      tag: 'modelled',
      groups: [...OPERANDS],
      swatch: partSwatch(levels),
      data,
      label,
      unit: layerNote(scene),
      height: 250,
    })
  })
}

/** Under measured peaks where the report has them, each word counted once; else under the best seen, by what kernels issued. */
function rooflineFigure({ report, rows }: Scene): Figure {
  const { peaks } = report
  const found = rows.flatMap((row) => {
    const { gflops, roofline: position } = row.result
    const intensity = peaks === undefined ? intensityOf(row, report.precision)?.value : position?.intensity
    return intensity === undefined || gflops === undefined ? [] : [{ row, intensity, gflops }]
  })
  if (found.length === 0) return emptyFigure('Roofline', 'measured', 'No row of this selection has a time and an access count.')
  const roof =
    peaks === undefined
      ? { ...ceilings(found), measured: false }
      : { gflops: peaks.flops.f32 / 1e9, gbytes: peaks.bytes_per_s / 1e9, measured: true }
  const rates = `${si(roof.gflops * 1e9)}FLOP/s and ${si(roof.gbytes * 1e9)}B/s`
  const note = roof.measured
    ? `Bytes are every word of the operands once, so that a layer’s rows stand above one another. The roof was measured on this device: ${rates}, of f32 in registers and of copying.`
    : `Bytes are the loads and stores that the kernel issues to storage buffers, else the model’s accesses to the outermost level; caches are not counted. Dashed: the best seen in this selection, ${rates}, not what the device can do.`
  const dataflows = dataflowsIn(rows)
  const ariaLabel = `Roofline: ${plural(found.length, 'row')}, ${roof.measured ? 'peak' : 'best seen'} ${rates}`
  return figure({
    title: 'Roofline',
    tag: 'measured',
    unit: 'circles CONV, squares FC',
    legend: legendOf(dataflows, dataflowSwatch),
    notes: [note, report.adapter.software && 'Taken on a software adapter: ranks nothing.'],
    draw: (width) => roofline({ points: found, dataflows, width, ariaLabel, roof }),
  })
}

function countedFigure({ rows }: Scene): Figure {
  const title = 'Counted against predicted'
  const points = rows.flatMap((row) => figuresOf(row.result).map((count) => ({ row, count })))
  if (points.length === 0) return emptyFigure(title, 'checked', 'No row of this selection has been counted.')
  const unequal = points.filter(({ count }) => count.predicted !== count.counted).length
  const verdict =
    unequal === 0
      ? `All ${plural(points.length, 'figure')} are equal.`
      : `${plural(unequal, 'figure')} of ${points.length} differ: drawn red.`
  const aria = `Counted against predicted accesses: ${verdict}`
  return figure({
    title,
    tag: 'checked',
    unit: 'loads, stores, hops and MACs of each row',
    legend: legendOf(OPERANDS, (operand) => partSwatch([])(operand)),
    notes: [
      verdict,
      'The counted build of each kernel counts every access that it makes; dots on the line agree with the model to the word.',
    ],
    draw: (width) => countedPredicted({ points, width, ariaLabel: aria }),
  })
}

export interface Section {
  readonly title: string
  readonly figures: readonly Figure[]
}

/** The sections with charts, but for accesses, which have a choice of their own. */
export function chartSections(scene: Scene): Section[] {
  const time = timeFigures(scene)
  const energy = energyFigures(scene)
  const overview = { title: 'Dataflow by dataflow', figures: [energy.levels, energy.operands, time.sum] }
  const checks = { title: 'Limits and checks', figures: [rooflineFigure(scene), countedFigure(scene)] }
  if (layersOf(scene.rows).length < 2) return [{ ...overview, figures: [...overview.figures, rateAlone(scene)] }, checks]
  return [
    overview,
    { title: 'Layer by layer', figures: [time.layers, time.rate, energy.layerLevels, energy.layerOperands] },
    checks,
  ]
}

/** With one layer the groups fall away, and the rate stands beside the time. */
function rateAlone(scene: Scene): Figure {
  const { rows } = scene
  const parts = rows.flatMap((row) =>
    row.result.gflops === undefined ? [] : [{ row, group: row.dataflow, value: row.result.gflops }],
  )
  const best = Math.max(...parts.map(({ value }) => value))
  const least = Math.min(...parts.map(({ value }) => value))
  const range = parts.length > 1 && !scene.report.adapter.software && `Best and least lie ${ratio(best / least)} apart.`
  return barFigure({
    scene,
    title: 'Rate',
    tag: 'measured',
    unit: layerNote(scene),
    groups: dataflowsIn(rows),
    swatch: dataflowSwatch,
    label: 'GFLOP/s',
    data: summed(parts, rows, false, (value) => `${si(value)} GFLOP/s`),
    notes: [softwareNote(scene), range],
    height: 270,
  })
}
