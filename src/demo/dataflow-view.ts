/**
 * A dataflow as a picture: the array of PEs, what is spread over its two axes, which operands stay in a PE's registers and
 * which must come anew for each step. Drawn from the dataflow's constraint itself, so that the picture is what runs.
 */
import { h } from '../profile/html/dom.ts'
import { listed } from '../profile/html/format.ts'
import { OPERAND_SWATCHES, colour, dataflowSwatch } from '../profile/html/palette.ts'
import type { Dataflow } from '../schedule/dataflow.ts'
import { OPERANDS, REDUCTION, isRelevant, type Dimension, type Operand } from '../schedule/problem.ts'

const SVG = 'http://www.w3.org/2000/svg'
const CELL = 46

/** Cells of the array that are drawn, and the room for the names of its axes. */
interface Frame {
  readonly columns: number
  readonly rows: number
  readonly left: number
  readonly top: number
  readonly named: boolean
}
const FULL: Frame = { columns: 5, rows: 4, left: 66, top: 40, named: true }
const SMALL: Frame = { columns: 3, rows: 3, left: 16, top: 16, named: false }

const MEANINGS: Readonly<Record<Dimension, string>> = {
  G: 'groups',
  N: 'batch',
  M: 'filters',
  C: 'channels',
  P: 'output rows',
  Q: 'output columns',
  R: 'filter rows',
  S: 'filter columns',
}

type Attributes = Readonly<Record<string, string | number>>

function s(tag: string, attributes: Attributes, ...children: (Element | string)[]): SVGElement {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value))
  element.append(...children)
  return element
}

/** All dataflows, small, side by side. */
export function dataflowOverview(flows: readonly Dataflow[]): HTMLElement {
  const small = flows.map((flow) => {
    const { label } = dataflowSwatch(flow.name)
    return h('figure', { class: 'demo-small' }, picture(flow, label, SMALL), h('figcaption', {}, label))
  })
  return h(
    'div',
    {},
    h('div', { class: 'demo-smalls' }, ...small),
    legend(),
    h('p', { class: 'tw-note' }, 'Each layer runs under the seven dataflows in turn: seven loop nests, seven kernels, one result.'),
  )
}

export function dataflowView(flow: Dataflow): HTMLElement {
  const { spatial, keep, innermost } = flow
  const stays = keep.registers
  const comes = OPERANDS.filter((operand) => !stays.includes(operand))
  const reduced = spatial.y.filter((dimension) => REDUCTION.includes(dimension))
  const says = [
    stays.length === 0
      ? 'Nothing stays in a PE from step to step.'
      : stays.length === OPERANDS.length
        ? 'All three operands stay in a PE for a while, each as long as it can.'
        : `${capital(listed(stays))} stay in the PE.`,
    comes.length > 0
      ? `${capital(listed(comes))} ${stays.length === 0 ? 'come from and go to' : 'come from or go to'} the buffer at each step.`
      : '',
    reduced.length > 0 ? `Partial sums add up along y (${listed(reduced.map((dimension) => MEANINGS[dimension]))}).` : '',
    flow.forward === undefined ? '' : `${capital(listed(flow.forward))} are handed from neighbour to neighbour along x.`,
    innermost.length > 0 ? `The innermost loops above the registers: ${innermost.join(', ')}.` : '',
  ]
  const label = `${dataflowSwatch(flow.name).label}: ${says.filter(Boolean).join(' ')}`
  return h('div', {}, picture(flow, label, FULL), legend(), h('p', { class: 'tw-note' }, says.filter(Boolean).join(' ')))
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
const fill = (operand: Operand) => colour(OPERAND_SWATCHES[operand])

function picture(flow: Dataflow, label: string, frame: Frame): SVGElement {
  const { columns, rows, left, top, named } = frame
  const width = left + columns * CELL + (named ? 30 : 8)
  const height = top + rows * CELL + 12
  const cells = Array.from({ length: rows * columns }, (_, index) =>
    cell(flow, frame, index % columns, Math.floor(index / columns)),
  )
  return s(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': label, class: 'demo-array' },
    ...(named ? axes(flow, frame) : []),
    ...cells,
    ...streams(flow, frame),
  )
}

function axes({ spatial }: Dataflow, { columns, rows, left, top }: Frame): SVGElement[] {
  const [x, y] = [left - 30, top + (rows * CELL) / 2]
  const along = spatial.x.map((dimension) => `${dimension} ${MEANINGS[dimension]}`).join(', ')
  return [
    s('text', { x: left + (columns * CELL) / 2, y: 14, 'text-anchor': 'middle', class: 'demo-axis' }, `x: ${along} →`),
    s(
      'text',
      { x, y, 'text-anchor': 'middle', class: 'demo-axis', transform: `rotate(-90 ${x} ${y})` },
      `← y: ${spatial.y.join(', ')}`,
    ),
  ]
}

/** A PE: three slots, filled where the operand stays, hollow where it passes. */
function cell(flow: Dataflow, { left, top }: Frame, column: number, row: number): SVGElement {
  const x = left + column * CELL
  const y = top + row * CELL
  const slots = OPERANDS.map((operand, index) => {
    const stays = flow.keep.registers.includes(operand)
    const at = { x: x + 7 + index * 11, y: y + 12, width: 8.5, height: 18, rx: 2.5 }
    return stays
      ? s('rect', { ...at, fill: fill(operand) })
      : s('rect', { ...at, fill: 'none', stroke: fill(operand), 'stroke-width': 1, 'stroke-dasharray': '2 2' })
  })
  return s('g', {}, s('rect', { x: x + 1, y: y + 1, width: CELL - 4, height: CELL - 4, rx: 5, class: 'demo-pe' }), ...slots)
}

/** Arrows for what moves: along x for an operand that x's dimension does not select, else along y; sums run along y too. */
function streams({ keep, spatial }: Dataflow, { columns, rows, left, top }: Frame): SVGElement[] {
  const [axisX, axisY] = [spatial.x[0], spatial.y[0]]
  return OPERANDS.flatMap((operand, index) => {
    if (keep.registers.includes(operand)) return []
    const outputs = operand === 'outputs'
    const slot = 11 + index * 11
    if (axisX !== undefined && !isRelevant(operand, axisX)) {
      return Array.from({ length: rows }, (_, row) => {
        const y = top + row * CELL + slot
        return arrow(left - 14, y, left + columns * CELL + 2, y, operand, outputs)
      })
    }
    if (axisY === undefined || (isRelevant(operand, axisY) && !outputs)) return []
    return Array.from({ length: columns }, (_, column) => {
      const x = left + column * CELL + slot
      return arrow(x, top - 12, x, top + rows * CELL + 4, operand, outputs)
    })
  })
}

function arrow(x1: number, y1: number, x2: number, y2: number, operand: Operand, outwards: boolean): SVGElement {
  const [dx, dy] = [Math.sign(x2 - x1) * 5, Math.sign(y2 - y1) * 5]
  const head = `M${x2 - dx - dy * 0.7},${y2 - dy - dx * 0.7} L${x2},${y2} L${x2 - dx + dy * 0.7},${y2 - dy + dx * 0.7}`
  const line = s('line', { x1, y1, x2, y2, stroke: fill(operand), class: outwards ? 'demo-stream demo-out' : 'demo-stream' })
  return s('g', {}, line, s('path', { d: head, fill: 'none', stroke: fill(operand), 'stroke-width': 1.5 }))
}

function legend(): HTMLElement {
  const items = OPERANDS.map((operand) =>
    h('li', {}, h('span', { class: 'tw-chip', style: `background:${fill(operand)}`, 'aria-hidden': 'true' }), operand),
  )
  return h(
    'ul',
    { class: 'tw-legend', 'aria-label': 'Filled: stays in the PE. Hollow: passes through.' },
    ...items,
    h('li', { class: 'tw-unit' }, 'filled: stays · hollow: passes'),
  )
}
