/** The two charts of a mapping space: energy against cycles, and the roofline of the hardware. Both log–log, dots with words on hover. */
import * as Plot from '@observablehq/plot'
import { logTicks } from '../bars.ts'
import { si, tick } from '../format.ts'
import { colour, dataflowSwatch, type Swatch } from '../palette.ts'
import { paretoFront, type Intensity, type Point, type Roof } from './data.ts'

type Chart = ReturnType<typeof Plot.plot>

/** `none` stands for no constraint. */
export function flowSwatch(name: string): Swatch {
  return name === 'none' ? { ...dataflowSwatch('fastest'), label: 'no constraint' } : dataflowSwatch(name)
}

/** Lines of a tip are broken at this many letters. */
const TIP_WIDTH = 52

function broken(text: string): string {
  return text
    .split(' | ')
    .flatMap((level) => {
      const lines: string[] = []
      let line = ''
      for (const word of level.split(' ')) {
        if (line !== '' && line.length + 1 + word.length > TIP_WIDTH) {
          lines.push(line)
          line = `   ${word}`
        } else line = line === '' ? word : `${line} ${word}`
      }
      return [...lines, line]
    })
    .join('\n')
}

function domainOf(values: readonly number[], margin: number): [number, number] {
  return [Math.min(...values) / margin, Math.max(...values) * margin]
}

export interface ScatterOptions {
  readonly points: readonly Point[]
  readonly dataflows: readonly string[]
  readonly unit: string
  readonly width: number
  readonly ariaLabel: string
}

export function spaceScatter({ points, dataflows, unit, width, ariaLabel }: ScatterOptions): Chart {
  const front = paretoFront(points)
  const [x, y] = [
    domainOf(
      points.map(({ cycles }) => cycles),
      1.25,
    ),
    domainOf(
      points.map(({ energy }) => energy),
      1.2,
    ),
  ]
  // The front as stairs: what lies above and right of a step is beaten.
  const stairs = front.flatMap((point, index) => {
    const following = front[index + 1]
    return following === undefined ? [point] : [point, { cycles: following.cycles, energy: point.energy }]
  })
  const [first, last] = [front[0], front.at(-1)]
  const line = [
    ...(first === undefined ? [] : [{ cycles: first.cycles, energy: y[1] }]),
    ...stairs,
    ...(last === undefined ? [] : [{ cycles: x[1], energy: last.energy }]),
  ]
  const at = { x: 'cycles', y: 'energy' }
  const onFront = new Set<Point>(front)
  const title = (point: Point): string =>
    [
      `${flowSwatch(point.dataflow).label}${point.chosen ? ': chosen' : ''}${onFront.has(point) ? ' · on the front' : ''}`,
      `${si(point.energy)} ${unit} · ${si(point.cycles)} cycles`,
      broken(point.brief),
    ].join('\n')
  const chosen = points.filter((point) => point.chosen)
  return Plot.plot({
    width,
    height: Math.min(560, Math.max(340, width * 0.55)),
    marginLeft: 52,
    marginRight: 20,
    marginTop: 30,
    marginBottom: 42,
    ariaLabel,
    style: { fontSize: '12px', overflow: 'visible' },
    x: { type: 'log', domain: x, label: 'cycles →', grid: true, tickFormat: tick, ticks: logTicks(...x) },
    y: { type: 'log', domain: y, label: `↑ energy, ${unit}`, grid: true, tickFormat: tick, ticks: logTicks(...y) },
    color: { type: 'ordinal', domain: [...dataflows], range: dataflows.map((name) => colour(flowSwatch(name))) },
    marks: [
      Plot.line(line, { ...at, stroke: 'currentColor', strokeOpacity: 0.5, strokeDasharray: '5 4' }),
      Plot.dot(
        points.filter((point) => !point.chosen),
        { ...at, fill: 'dataflow', fillOpacity: 0.55, r: 2.6 },
      ),
      Plot.dot(chosen, {
        ...at,
        fill: 'dataflow',
        symbol: 'diamond',
        r: 7,
        stroke: 'var(--tw-surface)',
        strokeWidth: 1.5,
      }),
      Plot.dot(chosen, { ...at, symbol: 'diamond', r: 8.5, stroke: 'currentColor', strokeWidth: 1.2 }),
      // Invisible, over all: the nearest point is the one told of.
      Plot.tip(points, Plot.pointer({ ...at, title, fontSize: 12, lineHeight: 1.25 })),
    ],
  })
}

export interface RoofOptions {
  readonly points: readonly Intensity[]
  readonly levels: readonly string[]
  readonly dataflows: readonly string[]
  /** Operations per cycle. */
  readonly peak: number
  readonly roofs: readonly Roof[]
  readonly width: number
  readonly ariaLabel: string
}

const SYMBOLS = ['circle', 'square2'] as const

export function spaceRoofline({ points, levels, dataflows, peak, roofs, width, ariaLabel }: RoofOptions): Chart {
  const ridges = roofs.map(({ bytes }) => peak / bytes)
  const x = domainOf([...points.map(({ intensity }) => intensity), ...ridges], 2)
  const y = domainOf([...points.map(({ rate }) => rate), peak], 1.6)
  const at = { x: 'intensity', y: 'rate' }
  const flat = { x1: Math.min(x[1], Math.max(x[0], roofs.length === 0 ? x[0] : Math.min(...ridges))), x2: x[1], y: peak }
  const slopes = roofs.flatMap(({ level, bytes }) => {
    const ridge = peak / bytes
    const low = Math.max(x[0], y[0] / bytes)
    return low < ridge ? [{ level, x1: low, y1: low * bytes, x2: ridge, y2: peak, bytes }] : []
  })
  return Plot.plot({
    width,
    height: Math.min(420, Math.max(300, width * 0.62)),
    marginLeft: 52,
    marginRight: 20,
    marginTop: 30,
    marginBottom: 42,
    ariaLabel,
    style: { fontSize: '12px', overflow: 'visible' },
    x: { type: 'log', domain: x, label: 'operations per byte →', grid: true, tickFormat: tick, ticks: logTicks(...x) },
    y: { type: 'log', domain: y, label: '↑ operations per cycle', grid: true, tickFormat: tick, ticks: logTicks(...y) },
    color: { type: 'ordinal', domain: [...dataflows], range: dataflows.map((name) => colour(flowSwatch(name))) },
    symbol: { domain: [...levels], range: levels.map((_, index) => SYMBOLS[index] ?? 'triangle') },
    marks: [
      Plot.ruleY([flat], { y: 'y', x1: 'x1', x2: 'x2', stroke: 'currentColor', strokeOpacity: 0.6 }),
      Plot.link(slopes, { x1: 'x1', y1: 'y1', x2: 'x2', y2: 'y2', stroke: 'currentColor', strokeOpacity: 0.6 }),
      Plot.text(slopes, {
        x: 'x1',
        y: 'y1',
        text: ({ level, bytes }: { level: string; bytes: number }) => `${level} ${si(bytes)} B/cycle`,
        textAnchor: 'start',
        dx: 8,
        dy: 14,
        fill: 'currentColor',
        fillOpacity: 0.75,
      }),
      Plot.text([peak], {
        x: x[1],
        y: peak,
        text: () => `${si(peak)} operations per cycle`,
        textAnchor: 'end',
        dy: -8,
        fill: 'currentColor',
        fillOpacity: 0.75,
      }),
      Plot.dot(points, {
        ...at,
        fill: 'dataflow',
        symbol: 'level',
        r: 5.5,
        stroke: 'var(--tw-surface)',
        title: ({ dataflow, level, intensity, rate }: Intensity) =>
          `${flowSwatch(dataflow).label}\n${si(intensity)} operations per byte of ${level}\n${si(rate)} operations per cycle, ${((100 * rate) / peak).toFixed(0)} % of the peak`,
        tip: true,
      }),
    ],
  })
}
