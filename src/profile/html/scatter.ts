/** The two charts of dots: the roofline, and counted accesses against predicted ones. */
import * as Plot from '@observablehq/plot'
import { RED, logTicks } from './bars.ts'
import type { Count, Kind, Row } from './data.ts'
import { si, tick } from './format.ts'
import { OPERAND_SWATCHES, colour, dataflowSwatch } from './palette.ts'

type Chart = ReturnType<typeof Plot.plot>

export interface RooflinePoint {
  readonly row: Row
  /** Operations per byte. */
  readonly intensity: number
  readonly gflops: number
}

export interface RooflineOptions {
  readonly points: readonly RooflinePoint[]
  readonly dataflows: readonly string[]
  readonly width: number
  readonly ariaLabel: string
  /** Of the device where it is measured, else the best that was seen. */
  readonly roof: { readonly gflops: number; readonly gbytes: number; readonly measured: boolean }
}

const KIND_NAMES: Readonly<Record<Kind, string>> = { conv: 'CONV', fc: 'FC' }

/** The best rate and the best bandwidth seen among the points: what this report has reached, not what the device can. */
export function ceilings(points: readonly RooflinePoint[]): { gflops: number; gbytes: number } {
  return {
    gflops: Math.max(...points.map(({ gflops }) => gflops)),
    gbytes: Math.max(...points.map(({ gflops, intensity }) => gflops / intensity)),
  }
}

export function roofline({ points, dataflows, width, ariaLabel, roof: { gflops, gbytes, measured } }: RooflineOptions): Chart {
  const top = Math.max(gflops, ...points.map((point) => point.gflops)) * 1.5
  const lowest = Math.min(...points.map(({ intensity }) => intensity)) / 1.6
  const highest = Math.max(...points.map(({ intensity }) => intensity)) * 1.6
  const ridge = gflops / gbytes
  const roof = [lowest, ...(ridge > lowest && ridge < highest ? [ridge] : []), highest].map((x) => ({
    x,
    y: Math.min(gflops, gbytes * x),
  }))
  const bottom = Math.min(...points.map((point) => point.gflops)) / 1.8
  const at = { x: 'intensity', y: 'gflops' }
  return Plot.plot({
    width,
    height: Math.min(400, Math.max(300, width * 0.62)),
    marginLeft: 52,
    marginRight: 16,
    marginTop: 30,
    marginBottom: 42,
    ariaLabel,
    style: { fontSize: '12px', overflow: 'visible' },
    x: {
      type: 'log',
      domain: [lowest, highest],
      label: 'operations per byte →',
      grid: true,
      tickFormat: tick,
      ticks: logTicks(lowest, highest),
    },
    y: {
      type: 'log',
      domain: [bottom, top],
      label: '↑ GFLOP/s',
      grid: true,
      tickFormat: tick,
      ticks: logTicks(bottom, top),
    },
    color: { type: 'ordinal', domain: [...dataflows], range: dataflows.map((name) => colour(dataflowSwatch(name))) },
    symbol: { domain: ['CONV', 'FC'], range: ['circle', 'square'] },
    marks: [
      Plot.line(roof, {
        x: 'x',
        y: (point: { y: number }) => Math.max(point.y, bottom),
        stroke: 'currentColor',
        strokeOpacity: 0.55,
        ...(measured ? { strokeWidth: 1.6 } : { strokeDasharray: '5 4' }),
      }),
      Plot.dot(points, {
        ...at,
        fill: ({ row }: RooflinePoint) => row.dataflow,
        symbol: ({ row }: RooflinePoint) => KIND_NAMES[row.kind],
        stroke: ({ row }: RooflinePoint) => (row.status === 'failed' ? RED : 'var(--tw-surface)'),
        strokeWidth: ({ row }: RooflinePoint) => (row.status === 'failed' ? 2.5 : 1),
        r: 5.5,
        title: (point: RooflinePoint) => pointTitle(point),
        tip: true,
      }),
    ],
  })
}

function pointTitle({ row, intensity, gflops }: RooflinePoint): string {
  const { roofline: position } = row.result
  const place =
    position === undefined
      ? []
      : [`${(100 * position.share).toPrecision(3)} % of ${si(position.attainable_gflops)} GFLOP/s, bound by ${position.bound}`]
  return [`${row.layer} · ${row.dataflow}`, `${si(gflops)} GFLOP/s`, `${si(intensity)} operations per byte`, ...place].join('\n')
}

export interface CountPoint {
  readonly row: Row
  readonly count: Count
}

/** Log–log, one dot per figure; zeros on both sides agree and are not drawn, a zero on one side is drawn at the edge. */
export function countedPredicted({
  points,
  width,
  ariaLabel,
}: {
  points: readonly CountPoint[]
  width: number
  ariaLabel: string
}): Chart {
  const drawn = points.filter(({ count }) => count.predicted > 0 || count.counted > 0)
  const values = drawn.flatMap(({ count }) => [count.predicted, count.counted]).filter((value) => value > 0)
  const low = Math.min(...values) / 2
  const high = Math.max(...values) * 2
  const place = (value: number) => Math.max(value, low)
  const equal = drawn.filter(({ count }) => count.predicted === count.counted)
  const unequal = drawn.filter(({ count }) => count.predicted !== count.counted)
  const operands = ['weights', 'inputs', 'outputs'] as const
  const at = { x: ({ count }: CountPoint) => place(count.predicted), y: ({ count }: CountPoint) => place(count.counted) }
  const title = ({ row, count }: CountPoint) =>
    `${row.layer} · ${row.dataflow}\n${count.what}\npredicted ${count.predicted.toLocaleString('en-US')}\ncounted ${count.counted.toLocaleString('en-US')}`
  return Plot.plot({
    width,
    height: Math.min(400, Math.max(300, width * 0.62)),
    marginLeft: 52,
    marginRight: 16,
    marginTop: 30,
    marginBottom: 42,
    ariaLabel,
    style: { fontSize: '12px', overflow: 'visible' },
    x: { type: 'log', domain: [low, high], label: 'predicted →', grid: true, tickFormat: tick, ticks: logTicks(low, high) },
    y: { type: 'log', domain: [low, high], label: '↑ counted', grid: true, tickFormat: tick, ticks: logTicks(low, high) },
    color: {
      type: 'ordinal',
      domain: [...operands],
      range: operands.map((operand) => colour(OPERAND_SWATCHES[operand])),
      unknown: 'var(--tw-muted)',
    },
    marks: [
      Plot.line([low, high], {
        x: (value: number) => value,
        y: (value: number) => value,
        stroke: 'currentColor',
        strokeOpacity: 0.45,
        strokeDasharray: '5 4',
      }),
      Plot.dot(equal, { ...at, stroke: ({ count }: CountPoint) => count.operand, strokeWidth: 1.6, r: 4, title, tip: true }),
      Plot.dot(unequal, { ...at, fill: RED, symbol: 'times', stroke: RED, strokeWidth: 2.5, r: 6, title, tip: true }),
    ],
  })
}
