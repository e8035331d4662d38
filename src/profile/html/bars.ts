/**
 * Bars by layer and dataflow, plain or stacked, in the form that fits: side by side in a group per layer; lying on a narrow
 * page; one strip per dataflow where layers are many. On a logarithmic scale a bar has no honest foot and a stack no honest
 * height: parts are drawn as dots then.
 */
import * as Plot from '@observablehq/plot'
import { tick } from './format.ts'
import type { Swatch } from './palette.ts'
import { colour } from './palette.ts'

export interface Datum {
  readonly layer: string
  readonly dataflow: string
  /** What the colour stands for: the dataflow itself, a level, an operand. */
  readonly group: string
  readonly value: number
  /** Spread of the samples. */
  readonly low?: number
  readonly high?: number
  /** The text of the tip. */
  readonly title: string
  /** Not verified, or counts that differ: marked red. */
  readonly failed?: boolean
  /** A sum that lacks layers: drawn pale. */
  readonly short?: boolean
}

export interface BarsOptions {
  readonly data: readonly Datum[]
  /** One: no groups, dataflows on the axis. */
  readonly layers: readonly string[]
  readonly dataflows: readonly string[]
  readonly groups: readonly string[]
  readonly swatch: (group: string) => Swatch
  readonly width: number
  readonly log: boolean
  /** What the axis of values shows; an arrow is added. */
  readonly label: string
  readonly ariaLabel: string
  readonly height?: number
}

/** Layers beyond this many are drawn as strips. */
const MANY = 14
const NARROW = 560
export const RED = 'var(--tw-red)'

type Chart = ReturnType<typeof Plot.plot>

export function bars(options: BarsOptions): Chart {
  const drawn = options.log ? { ...options, data: options.data.filter(({ value }) => value > 0) } : options
  if (options.layers.length > MANY) return strips(drawn)
  return options.width < NARROW ? lying(drawn) : standing(drawn)
}

function common({ width, groups, swatch, ariaLabel }: BarsOptions) {
  return {
    width,
    ariaLabel,
    color: { type: 'ordinal' as const, domain: [...groups], range: groups.map((group) => colour(swatch(group))) },
    style: { fontSize: '12px', overflow: 'visible' },
  }
}

const isEmpty = (data: readonly Datum[]) => data.every(({ value, high }) => Math.max(value, high ?? value) === 0)
/** On a plain scale, and something to show. */
const hasScale = ({ data, log }: BarsOptions) => !log && !isEmpty(data)

function valueScale({ data, log, label }: BarsOptions, lies = false): Plot.ScaleOptions {
  const scale = { label: lies ? `${label} →` : `↑ ${label}`, grid: true, tickFormat: tick, ticks: 5 }
  // Where every bar is 0 there is no scale: the axis says 0 and nothing else.
  if (!log && isEmpty(data)) return { ...scale, domain: [0, 1], ticks: [0] }
  if (!log) return { ...scale, nice: true, zero: true }
  const floor = floorOf(data)
  const values = data.flatMap(({ value, high }) => [value, high ?? value])
  const domain = [floor, Math.max(floor * 10, ...values) * 1.15] as const
  return { ...scale, type: 'log', domain: [...domain], ticks: logTicks(...domain) }
}

/** Powers of ten; with 2 and 5 between them where there are few. */
export function logTicks(low: number, high: number): number[] {
  const decades = Math.log10(high / low)
  const steps = decades < 1.8 ? [1, 2, 5] : decades < 3 ? [1, 3] : [1]
  const every = Math.max(1, Math.ceil(decades / 7))
  const first = Math.floor(Math.log10(low))
  const powers = Array.from({ length: Math.ceil(decades) + 2 }, (_, index) => first + index).filter((power) => power % every === 0)
  return powers.flatMap((power) => steps.map((step) => Number(`${step}e${power}`))).filter((value) => value >= low && value <= high)
}

/** A power of ten at or below the smallest value: where the stems of a logarithmic chart start. */
function floorOf(data: readonly Datum[]): number {
  const smallest = Math.min(...data.map(({ value, low }) => Math.min(value, low !== undefined && low > 0 ? low : value)))
  return Number.isFinite(smallest) ? 10 ** Math.floor(Math.log10(smallest) - 0.05) : 1
}

const stacked = ({ data, groups }: BarsOptions) => data.some(({ group, dataflow }) => group !== dataflow) && groups.length > 1

interface Sum {
  readonly layer: string
  readonly dataflow: string
  readonly value: number
}

/** Heights of whole bars, for what is written above them. */
function sums(data: readonly Datum[]): Map<string, Sum> {
  const found = new Map<string, Sum>()
  for (const { layer, dataflow, value, high } of data) {
    const key = `${layer}\n${dataflow}`
    found.set(key, { layer, dataflow, value: (found.get(key)?.value ?? 0) + Math.max(value, high ?? value) })
  }
  return found
}

function failures(options: BarsOptions): Sum[] {
  const failed = new Set(
    options.data.filter(({ failed: bad }) => bad === true).map(({ layer, dataflow }) => `${layer}\n${dataflow}`),
  )
  const heights = options.log
    ? new Map(options.data.map((datum) => [`${datum.layer}\n${datum.dataflow}`, datum]))
    : sums(options.data)
  return [...heights].filter(([key]) => failed.has(key)).map(([, sum]) => sum)
}

/** Room that the longest of some names takes at 12 px, with a gap; no less than `least`, and not all of the page. */
function roomFor(names: readonly string[], least: number): number {
  return Math.min(150, Math.max(least, 14 + 6.7 * Math.max(0, ...names.map((name) => name.length))))
}

const opacity = ({ short }: Datum) => (short === true ? 0.45 : 1)
const whiskers = (data: readonly Datum[]) => data.filter(({ low, high }) => low !== undefined && high !== undefined && high > low)

function standing(options: BarsOptions): Chart {
  const { data, layers, dataflows, groups, height = 300 } = options
  const single = layers.length === 1
  const named = single || stacked(options)
  const facet = single ? {} : { fx: 'layer' as const }
  const at = { x: 'dataflow', ...facet }
  const floor = floorOf(data)
  // Names of about seven letters stand upright where each has room.
  const upright = single && options.width >= roomFor(dataflows, 56) * dataflows.length
  const usual = named ? (single ? 40 : 66) : 12
  const bottom = named && !upright ? roomFor(dataflows, usual) : usual
  const marks: Plot.Markish[] = options.log
    ? [
        stacked(options)
          ? null
          : Plot.ruleX(data, { ...at, y1: floor, y2: 'value', stroke: 'group', strokeWidth: 4, strokeOpacity: 0.35 }),
        Plot.dot(data, {
          ...at,
          y: 'value',
          fill: 'group',
          fillOpacity: opacity,
          r: 4.5,
          stroke: 'var(--tw-surface)',
          title: 'title',
          tip: true,
        }),
      ]
    : [
        Plot.barY(
          data,
          Plot.stackY(
            { order: [...groups] },
            { ...at, y: 'value', fill: 'group', fillOpacity: opacity, title: 'title', tip: true },
          ),
        ),
        Plot.ruleY([0]),
      ]
  return Plot.plot({
    ...common(options),
    height: (named && !single ? height + 30 : height) + bottom - usual,
    marginLeft: 52,
    marginTop: 28,
    marginBottom: bottom,
    marginRight: 8,
    ...(single ? {} : { fx: { domain: [...layers], label: null, axis: 'top' as const, padding: 0.12 } }),
    x: {
      domain: [...dataflows],
      label: null,
      padding: 0.14,
      tickSize: 0,
      axis: named ? 'bottom' : null,
      tickRotate: upright ? 0 : -90,
    },
    y: single ? valueScale(options) : { ...valueScale(options), label: null },
    marks: [
      ...marks,
      Plot.ruleX(whiskers(data), { ...at, y1: 'low', y2: 'high', stroke: 'currentColor', strokeOpacity: 0.75 }),
      Plot.text(failures(options), { ...at, y: 'value', text: () => '✗', dy: -9, fill: RED, fontWeight: 700, fontSize: 15 }),
    ],
  })
}

function lying(options: BarsOptions): Chart {
  const { data, layers, dataflows, groups } = options
  const single = layers.length === 1
  const facet = single ? {} : { fy: 'layer' as const }
  const at = { y: 'dataflow', ...facet }
  const floor = floorOf(data)
  const marks: Plot.Markish[] = options.log
    ? [
        stacked(options)
          ? null
          : Plot.ruleY(data, { ...at, x1: floor, x2: 'value', stroke: 'group', strokeWidth: 4, strokeOpacity: 0.35 }),
        Plot.dot(data, {
          ...at,
          x: 'value',
          fill: 'group',
          fillOpacity: opacity,
          r: 4.5,
          stroke: 'var(--tw-surface)',
          title: 'title',
          tip: true,
        }),
      ]
    : [
        Plot.barX(
          data,
          Plot.stackX(
            { order: [...groups] },
            { ...at, x: 'value', fill: 'group', fillOpacity: opacity, title: 'title', tip: true },
          ),
        ),
        Plot.ruleX([0]),
      ]
  const rows = single ? dataflows.length * 26 : layers.length * (dataflows.length * 15 + 14)
  return Plot.plot({
    ...common(options),
    height: rows + 48,
    marginLeft: roomFor(dataflows, 58),
    marginTop: 34,
    marginBottom: 10,
    marginRight: single ? 16 : roomFor(layers, 50),
    ...(single ? {} : { fy: { domain: [...layers], label: null, axis: 'right' as const, padding: 0.1 } }),
    y: { domain: [...dataflows], label: null, padding: 0.12, tickSize: 0, axis: 'left' },
    x: {
      ...valueScale(options, true),
      ...(single ? {} : { label: null }),
      axis: 'top',
      ...(hasScale(options) ? { ticks: 4 } : {}),
    },
    marks: [
      ...marks,
      Plot.ruleY(whiskers(data), { ...at, x1: 'low', x2: 'high', stroke: 'currentColor', strokeOpacity: 0.75 }),
      Plot.text(failures(options), { ...at, x: 'value', text: () => '✗', dx: 9, fill: RED, fontWeight: 700, fontSize: 14 }),
    ],
  })
}

/** One strip per dataflow, layers along it. */
function strips(options: BarsOptions): Chart {
  const { data, layers, dataflows, groups } = options
  const at = { x: 'layer', fy: 'dataflow' }
  const marks: Plot.Markish[] = options.log
    ? [Plot.dot(data, { ...at, y: 'value', fill: 'group', r: 3.5, stroke: 'var(--tw-surface)', title: 'title', tip: true })]
    : [
        Plot.barY(
          data,
          Plot.stackY(
            { order: [...groups] },
            { ...at, y: 'value', fill: 'group', fillOpacity: opacity, title: 'title', tip: true },
          ),
        ),
        Plot.ruleY([0]),
      ]
  const longest = Math.max(...layers.map((layer) => layer.length))
  const bottom = Math.min(150, 16 + longest * 6.5)
  return Plot.plot({
    ...common(options),
    width: Math.max(options.width, layers.length * 16 + 120),
    height: dataflows.length * 92 + bottom + 30,
    marginLeft: 52,
    marginTop: 28,
    marginBottom: bottom,
    marginRight: roomFor(dataflows, 62),
    fy: { domain: [...dataflows], label: null, axis: 'right', padding: 0.16 },
    x: { domain: [...layers], label: null, tickSize: 0, tickRotate: -90, padding: 0.15 },
    y: { ...valueScale(options), label: null, ...(hasScale(options) ? { ticks: 3 } : {}) },
    marks: [
      ...marks,
      Plot.text(failures(options), { ...at, y: 'value', text: () => '✗', dy: -8, fill: RED, fontWeight: 700, fontSize: 13 }),
    ],
  })
}
