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
const COLUMNS = 5
const ROWS = 4
const CELL = 46
const LEFT = 66
const TOP = 40

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
    return h('figure', { class: 'demo-small' }, picture(flow, label), h('figcaption', {}, label))
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
  return h('div', {}, picture(flow, label), legend(), h('p', { class: 'tw-note' }, says.filter(Boolean).join(' ')))
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
const fill = (operand: Operand) => colour(OPERAND_SWATCHES[operand])

function picture(flow: Dataflow, label: string): SVGElement {
  const width = LEFT + COLUMNS * CELL + 78
  const height = TOP + ROWS * CELL + 34
  const [x, y] = [flow.spatial.x, flow.spatial.y]
  const cells = Array.from({ length: ROWS * COLUMNS }, (_, index) => cell(flow, index % COLUMNS, Math.floor(index / COLUMNS)))
  return s(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': label, class: 'demo-array' },
    s(
      'text',
      { x: LEFT + (COLUMNS * CELL) / 2, y: 14, 'text-anchor': 'middle', class: 'demo-axis' },
      `x: ${x.map((dimension) => `${dimension} ${MEANINGS[dimension]}`).join(', ')} →`,
    ),
    s(
      'text',
      {
        x: LEFT - 12,
        y: TOP + (ROWS * CELL) / 2,
        'text-anchor': 'middle',
        class: 'demo-axis',
        transform: `rotate(-90 ${LEFT - 30} ${TOP + (ROWS * CELL) / 2})`,
      },
      `← y: ${y.map((dimension) => dimension).join(', ')}`,
    ),
    ...cells,
    ...streams(flow),
  )
}

/** A PE: three slots, filled where the operand stays, hollow where it passes. */
function cell(flow: Dataflow, column: number, row: number): SVGElement {
  const x = LEFT + column * CELL
  const y = TOP + row * CELL
  const slots = OPERANDS.map((operand, index) => {
    const stays = flow.keep.registers.includes(operand)
    const at = { x: x + 7 + index * 11, y: y + 12, width: 8.5, height: 18, rx: 2.5 }
    return stays
      ? s('rect', { ...at, fill: fill(operand) })
      : s('rect', { ...at, fill: 'none', stroke: fill(operand), 'stroke-width': 1, 'stroke-dasharray': '2 2' })
  })
  return s('g', {}, s('rect', { x: x + 1, y: y + 1, width: CELL - 4, height: CELL - 4, rx: 5, class: 'demo-pe' }), ...slots)
}

/** Arrows for what moves: an operand that does not depend on an axis is shared along it. */
function streams(flow: Dataflow): SVGElement[] {
  const moving = OPERANDS.filter((operand) => !flow.keep.registers.includes(operand))
  const [axisX, axisY] = [flow.spatial.x[0], flow.spatial.y[0]]
  return moving.flatMap((operand, index) => {
    const sharedX = axisX !== undefined && !isRelevant(operand, axisX)
    const offset = 9 + index * 9
    const outputs = operand === 'outputs'
    const shared = sharedX
      ? Array.from({ length: ROWS }, (_, row) =>
          arrow(LEFT - 14, TOP + row * CELL + offset, LEFT + COLUMNS * CELL + 2, TOP + row * CELL + offset, operand, outputs),
        )
      : axisY !== undefined && (!isRelevant(operand, axisY) || outputs)
        ? Array.from({ length: COLUMNS }, (_, column) =>
            arrow(LEFT + column * CELL + offset, TOP - 12, LEFT + column * CELL + offset, TOP + ROWS * CELL + 4, operand, outputs),
          )
        : []
    return shared
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
