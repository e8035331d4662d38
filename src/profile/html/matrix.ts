/** Layers by dataflows, one button per row of the report: its check at a glance, and the mapping behind it when pressed. */
import type { DataflowReport, ProfileReport } from '../report.ts'
import type { Row } from './data.ts'
import { kindOf } from './data.ts'
import { h } from './dom.ts'
import { duration, error, fixed, integer, percent, plural, si } from './format.ts'
import { chip, failureOf, spelled } from './header.ts'
import { loopNest } from './loopnest.ts'
import { colour, dataflowSwatch, levelSwatch } from './palette.ts'

const MARKS = { ok: '✓', failed: '✗', unchecked: '?', skipped: '–' } as const
const WORDS = { ok: 'verified', failed: 'failed', unchecked: 'not compared with the reference', skipped: 'skipped' } as const

export function matrix(report: ProfileReport, rows: readonly Row[], dataflows: readonly string[]): HTMLElement {
  const detail = h('div', { class: 'tw-detail', 'aria-live': 'polite' })
  const buttons = new Map<Row, HTMLButtonElement>()
  const find = (layer: string, dataflow: string) => rows.find((row) => row.layer === layer && row.dataflow === dataflow)

  function show(row: Row): void {
    for (const [owner, button] of buttons) button.setAttribute('aria-pressed', String(owner === row))
    detail.replaceChildren(...describe(row))
  }

  function cell(row: Row | undefined): HTMLElement {
    if (row === undefined) return h('td', { class: 'tw-absent', title: 'not reached' }, '')
    const label = `${row.layer}, ${spelled(row.dataflow)}: ${WORDS[row.status]}`
    const button = h(
      'button',
      {
        type: 'button',
        class: `tw-cell tw-status-${row.status}`,
        'aria-label': label,
        'aria-pressed': 'false',
        title: label,
        click: () => {
          show(row)
        },
      },
      MARKS[row.status],
    )
    buttons.set(row, button)
    return h('td', {}, button)
  }

  const head = dataflows.map((dataflow) =>
    h('th', { scope: 'col', title: spelled(dataflow) }, chip(colour(dataflowSwatch(dataflow))), dataflow),
  )
  const body = report.layers.map(({ name, problem }) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, name, h('span', { class: 'tw-unit' }, shapeOf(problem))),
      ...dataflows.map((dataflow) => cell(find(name, dataflow))),
    ),
  )
  const first = rows.find(({ status }) => status === 'failed') ?? rows.find(({ result }) => result.mapping !== undefined) ?? rows[0]
  if (first !== undefined) show(first)
  return h(
    'div',
    { class: 'tw-card tw-matrix' },
    h(
      'div',
      { class: 'tw-scroll', tabindex: 0, role: 'region', 'aria-label': 'Checks and mappings, layers by dataflows' },
      h(
        'p',
        { class: 'tw-note tw-key' },
        '✓ verified and counted as predicted · ✗ failed · ? not compared · – skipped. Press one for its mapping.',
      ),
      h('table', {}, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Layer'), ...head)), h('tbody', {}, ...body)),
    ),
    detail,
  )
}

function shapeOf(problem: Row['problem']): string {
  const { M, C, P, Q, R, S, groups } = problem
  const times = groups > 1 ? `${groups}× ` : ''
  return kindOf(problem) === 'fc' ? `${times}${integer(M)} ← ${integer(C * R * S)}` : `${times}${M}×${P}×${Q} ← ${C}×${R}×${S}`
}

function describe(row: Row): Node[] {
  const { result, layer, dataflow, status } = row
  const title = h('h3', {}, `${layer} · ${spelled(dataflow)}`)
  const state = h('span', { class: `tw-status tw-status-${status}` }, `${MARKS[status]} ${WORDS[status]}`)
  const nodes: Node[] = [h('div', { class: 'tw-detail-head' }, title, state)]
  if (result.skipped !== undefined) nodes.push(h('p', {}, result.skipped))
  if (status === 'failed') nodes.push(h('p', { class: 'tw-bad-text' }, failureOf(row)))
  nodes.push(figures(row))
  if (result.mapping !== undefined) {
    const { levels } = result.mapping
    const lines = loopNest(result.mapping).map(({ depth, kind, text, note, level }) => {
      const swatch = colour(levelSwatch(levels[level]?.name ?? '', level, levels.length))
      const style = `--tw-depth:${kind === 'level' ? 0 : depth};--tw-level:${swatch}`
      return h('li', { class: `tw-nest-${kind}`, style }, text, note !== undefined && h('span', { class: 'tw-unit' }, note))
    })
    nodes.push(h('ol', { class: 'tw-nest', 'aria-label': 'Loop nest of the mapping, outermost first' }, ...lines))
  } else if (result.systolic !== undefined) nodes.push(h('p', {}, arrayOf(result.systolic)))
  else if (result.skipped === undefined)
    nodes.push(h('p', { class: 'tw-note' }, 'This kernel has no mapping: it is not run as a dataflow of the model.'))
  for (const note of result.notes ?? []) nodes.push(h('p', { class: 'tw-note' }, note))
  return nodes
}

/** What a systolic array did, in words: its skew is no loop nest. */
function arrayOf({ array, folds, fold_steps: each, predicted, counted }: NonNullable<DataflowReport['systolic']>): string {
  const equal = counted.steps === predicted.steps ? 'as predicted' : `predicted ${integer(predicted.steps)}`
  return `Systolic array of ${array.rows}×${array.columns}: ${plural(folds, 'fold')} of ${integer(each)} steps, ${integer(counted.steps)} counted, ${equal}.`
}

function figures({ result, macs }: Row): HTMLElement {
  const { predicted, time_ms, gflops, max_error, max_error_ratio } = result
  const pairs: [string, string | undefined][] = [
    ['time, measured', time_ms === undefined ? undefined : duration(time_ms)],
    ['rate, measured', gflops === undefined ? undefined : `${si(gflops)} GFLOP/s`],
    ['energy per MAC, modelled', predicted === undefined ? undefined : fixed(3)(predicted.energy.total / macs)],
    ['utilisation, modelled', predicted === undefined ? undefined : percent(predicted.utilization)],
    ['cycles, modelled', predicted === undefined ? undefined : si(predicted.cycles)],
    ['largest error', max_error === undefined ? undefined : error(max_error)],
    ['error / bound', max_error_ratio === undefined ? undefined : fixed(4)(max_error_ratio)],
  ]
  const shown = pairs.filter(([, value]) => value !== undefined)
  return h(
    'dl',
    { class: 'tw-facts tw-small' },
    ...shown.map(([term, value]) => h('div', {}, h('dt', {}, term), h('dd', {}, value))),
  )
}
