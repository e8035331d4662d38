/**
 * Draws a report into an element: the page that `renderReport` writes, and the last step of the demo.
 * Think of it as a function from the report and what the reader chose to a page; every change draws anew.
 */
import type { ProfileReport } from '../report.ts'
import { pageButtons } from './buttons.ts'
import type { AccessKind, Scene } from './charts.ts'
import { accessFigures, chartSections } from './charts.ts'
import type { View } from './controls.ts'
import { choice, controls } from './controls.ts'
import type { Row } from './data.ts'
import { checksOf, dataflowsOf, rowsOf, select } from './data.ts'
import { h } from './dom.ts'
import type { Figure } from './figure.ts'
import { header } from './header.ts'
import { matrix } from './matrix.ts'
import { accessTable, countTable, csvOf, energyTable, remarkTable, resultTable, roofTable } from './tables.ts'

export interface MountOptions {
  /** Further buttons beside those that save the JSON and the CSV. */
  readonly actions?: readonly HTMLElement[]
}

export interface Mounted {
  readonly destroy: () => void
}

/** Draws `report` into `root`, whose content it replaces. The style sheet (`reportCss`) is the caller's to add. */
export function mountReport(root: HTMLElement, report: ProfileReport, { actions = [] }: MountOptions = {}): Mounted {
  const rows = rowsOf(report)
  const dataflows = dataflowsOf(report)
  const charts = h('div', { class: 'tw-charts' })
  const tables = h('div', { class: 'tw-tables' })
  const accesses = accessPanel()
  let figures: Figure[] = []

  function draw(view: View): void {
    const chosen = select(rows, view)
    const scene: Scene = { report, rows: chosen, view }
    const sections = chosen.length === 0 ? [] : chartSections(scene)
    const parts = chosen.length === 0 ? [] : accesses.draw(scene, fit)
    figures = [...sections.flatMap((section) => section.figures), ...parts]
    charts.replaceChildren(
      ...sections.map(({ title, figures: drawn }) =>
        h(
          'section',
          { 'aria-label': title },
          h('h2', {}, title),
          h('div', { class: drawn.length === 4 ? 'tw-grid tw-pairs' : 'tw-grid' }, ...drawn.map(({ element }) => element)),
        ),
      ),
    )
    if (chosen.length === 0) charts.replaceChildren(h('p', { class: 'tw-note' }, 'Nothing is chosen: tick a dataflow.'))
    else charts.append(accesses.element)
    const open = new Set(
      [...tables.querySelectorAll('details')].filter((element) => element.open).map((element) => element.dataset['table']),
    )
    tables.replaceChildren(...tableCards(report, chosen, tables.childElementCount === 0 ? undefined : open))
    fit()
  }

  function fit(): void {
    for (const { fit: fitOne } of [...figures, ...accesses.figures()]) fitOne()
  }

  const panel = controls(rows, dataflows, draw)
  root.classList.add('tw-report')
  root.replaceChildren(
    header(report, [...actions, ...pageButtons(report.model.replaceAll(/[^\w.-]+/g, '-'), report, () => csvOf(rows))]),
    ...(rows.length === 0
      ? [h('p', { class: 'tw-note' }, 'This report has no rows.')]
      : [
          panel.element,
          charts,
          h(
            'section',
            { 'aria-label': 'Checks and mappings' },
            h('h2', {}, 'Checks and mappings'),
            matrix(report, rows, dataflows),
          ),
          tables,
        ]),
    footer(),
  )
  if (rows.length > 0) draw(panel.view())
  const observer = new ResizeObserver(() => {
    requestAnimationFrame(fit)
  })
  observer.observe(root)
  return {
    destroy: () => {
      observer.disconnect()
      root.replaceChildren()
    },
  }
}

const ACCESS_KINDS: readonly AccessKind[] = ['all', 'reads', 'fills', 'updates']

/** Accesses have a choice of their own, which survives a change of the others. */
function accessPanel(): {
  element: HTMLElement
  draw: (scene: Scene, fit: () => void) => Figure[]
  figures: () => readonly Figure[]
} {
  const grid = h('div', { class: 'tw-grid' })
  const kinds = choice('Accesses', ACCESS_KINDS)
  let current: { scene: Scene; fit: () => void } | undefined
  let figures: Figure[] = []
  function redraw(): void {
    if (current === undefined) return
    const kind = ACCESS_KINDS.find((name) => name === kinds.value()) ?? 'all'
    figures = accessFigures(current.scene, kind)
    grid.replaceChildren(...figures.map(({ element }) => element))
    current.fit()
  }
  const form = h(
    'form',
    {
      class: 'tw-inline',
      'aria-label': 'Kind of access',
      change: redraw,
      submit: (event) => {
        event.preventDefault()
      },
    },
    kinds.element,
  )
  const element = h(
    'section',
    { 'aria-label': 'Accesses by level and operand' },
    h('div', { class: 'tw-heading' }, h('h2', {}, 'Accesses by level and operand'), form),
    grid,
  )
  return {
    element,
    draw: (scene, fit) => {
      current = { scene, fit: () => undefined }
      redraw()
      current = { scene, fit }
      return figures
    },
    figures: () => figures,
  }
}

function tableCards(report: ProfileReport, rows: readonly Row[], open: ReadonlySet<string | undefined> | undefined): HTMLElement[] {
  const { skipped } = checksOf(rows)
  const card = (title: string, byItself: boolean, make: () => HTMLElement) => {
    // A table is built when it is opened: a large report has thousands of lines.
    const details = h(
      'details',
      { class: 'tw-card', 'data-table': title, open: open?.has(title) ?? byItself },
      h('summary', {}, title),
    )
    const build = () => {
      if (details.open && details.childElementCount === 1) details.append(make())
    }
    details.addEventListener('toggle', build)
    build()
    return details
  }
  return [
    h('h2', {}, 'Tables'),
    card('Results', true, () => resultTable(rows)),
    card(skipped.length > 0 ? `Skipped rows (${skipped.length}) and notes` : 'Skipped rows and notes', skipped.length > 0, () =>
      remarkTable(rows),
    ),
    card('Roofline and default kernels', false, () => roofTable(rows)),
    card('Energy', false, () => energyTable(report, rows)),
    card('Accesses', false, () => accessTable(rows)),
    card('Counted and predicted', false, () => countTable(rows)),
  ]
}

function footer(): HTMLElement {
  return h(
    'footer',
    { class: 'tw-footer' },
    h(
      'p',
      {},
      'Measured: times of kernels on the adapter named above. Modelled: accesses, cycles and energy that the mapping implies on the named hardware model; WebGPU cannot see joules, cache hits or registers. Checked: results against a CPU reference, and accesses counted by the kernels as they ran.',
    ),
  )
}
