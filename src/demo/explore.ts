/**
 * The explore page: finds the best mappings of a layer on an accelerator under each dataflow, shows the space around them, lets a
 * person edit one and compare two. Think of it as `tilewright map`, `evaluate` and `diff` with a page for a terminal; no GPU needed.
 */
import { download, h } from '../profile/html/dom.ts'
import { plural, si } from '../profile/html/format.ts'
import { flowSwatch } from '../profile/html/mapping/charts.ts'
import type { MappingSpace } from '../profile/html/mapping/data.ts'
import { mountMappingSpace } from '../profile/html/mapping/page.ts'
import { renderMappingPage } from '../profile/html/mapping/render.ts'
import { reportCss } from '../profile/html/style.ts'
import demoCss from './demo.css?raw'
import { desk } from './explore-desk.ts'
import { ExploreEngine } from './explore-engine.ts'
import { hardwareForm, problemForm, searchForm } from './explore-form.ts'
import type { SearchProgress, Subject } from './explore-protocol.ts'
import { errorCard } from './panels.ts'

document.head.append(h('style', {}, reportCss(), demoCss))

/** One worker searches; the other answers at once, whatever the first is doing. */
const searcher = new ExploreEngine()
const answerer = new ExploreEngine()
const app = document.querySelector('#app') ?? document.body
const problem = problemForm((network) => answerer.call('layers', network), changed)
const hardware = hardwareForm((name) => answerer.call('hardware', name), changed)
const search = searchForm()
const bench = desk(answerer, subject)
const run = h('button', { type: 'submit', class: 'demo-run' }, 'Find mappings')
const outcome = h('div', { class: 'demo-outcome', 'aria-live': 'polite' })
const result = h('div', { id: 'space' })
let shown: { destroy: () => void } | undefined

function subject(): Subject {
  return { problem: problem.json(), hardware: hardware.given() }
}

function changed(): void {
  // Called by the forms while they are made, before there is a bench.
  queueMicrotask(() => bench.refresh())
}

app.append(
  h(
    'div',
    { class: 'tw-report demo' },
    h(
      'header',
      { class: 'demo-header' },
      h('p', { class: 'tw-eyebrow' }, h('a', { href: './index.html' }, 'Run networks on your GPU')),
      h('h1', {}, 'Explore mappings'),
      h(
        'p',
        { class: 'tw-lede' },
        'How a layer can be laid over an accelerator, what each way costs, and why. All of it is computed here, in this page; no GPU is needed.',
      ),
    ),
    h(
      'form',
      {
        class: 'demo-form demo-explore',
        'aria-label': 'What to map',
        submit: (event) => {
          event.preventDefault()
          void start()
        },
      },
      step('1', 'Problem', problem.element),
      step('2', 'Hardware', hardware.element),
      step('3', 'Dataflows', search.element, h('div', { class: 'demo-go' }, run)),
    ),
    outcome,
    result,
    bench.element,
  ),
)

function step(number: string, title: string, ...content: HTMLElement[]): HTMLElement {
  return h(
    'section',
    { class: 'tw-card demo-step', 'aria-label': title },
    h('h2', {}, h('span', { class: 'demo-number', 'aria-hidden': 'true' }, number), title),
    ...content,
  )
}

async function start(): Promise<void> {
  const values = search.values()
  if (values.dataflows.length === 0) {
    outcome.replaceChildren(errorCard('Nothing is chosen', new Error('Tick a dataflow.')))
    return
  }
  const stop = new AbortController()
  const panel = progress(() => stop.abort())
  run.disabled = true
  shown?.destroy()
  shown = undefined
  outcome.replaceChildren(panel.element)
  try {
    const request = { ...subject(), ...values, title: problem.title() }
    const space = await searcher.call('search', request, { signal: stop.signal, onProgress: panel.update })
    finish(space, stop.signal.aborted)
  } catch (error) {
    outcome.replaceChildren(errorCard('No mappings', error))
  } finally {
    run.disabled = false
  }
}

function finish(space: MappingSpace, stopped: boolean): void {
  if (space.chosen.length === 0) {
    const [first] = space.failed
    outcome.replaceChildren(
      first === undefined
        ? h('p', { class: 'demo-note' }, 'Stopped before a mapping was found.')
        : errorCard('No mapping is legal', new Error(first.why)),
    )
    return
  }
  const seen = space.chosen.reduce((sum, { searched }) => sum + (searched?.seen ?? 0), 0)
  const best = space.chosen.reduce((least, one) => (one.evaluation.energy.total < least.evaluation.energy.total ? one : least))
  const text = `✓ ${plural(space.chosen.length, 'dataflow')}, ${plural(seen, 'mapping')} evaluated · least energy: ${flowSwatch(best.dataflow).label}, ${si(best.evaluation.energy.total)}${stopped ? ' · stopped early' : ''}`
  const save = h('button', { type: 'button', class: 'tw-button', click: () => void savePage(space, save) }, 'Save page')
  const json = h(
    'button',
    {
      type: 'button',
      class: 'tw-button',
      click: () => {
        download('mappings.json', 'application/json', `${JSON.stringify(space, null, 2)}\n`)
      },
    },
    'Save JSON',
  )
  outcome.replaceChildren(
    h('p', { class: 'demo-verdict tw-good', role: 'status' }, text),
    h('p', { class: 'tw-actions demo-saves' }, save, json),
  )
  shown = mountMappingSpace(result, space, { bare: true })
  bench.show(space)
}

/** The page that `tilewright map --html` writes. Its script is fetched only now: it is as large as this page. */
async function savePage(space: MappingSpace, button: HTMLButtonElement): Promise<void> {
  button.disabled = true
  try {
    const { default: script } = await import('virtual:report-script')
    download('mappings.html', 'text/html', renderMappingPage(space, { script }))
  } catch (error) {
    button.textContent = `Not saved: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    button.disabled = false
  }
}

function progress(onStop: () => void): { element: HTMLElement; update: (progress: SearchProgress) => void } {
  const bar = h('progress', { max: 1, value: 0, 'aria-label': 'Progress of the search' })
  const where = h('strong', {}, 'Starting …')
  const count = h('span', { class: 'tw-unit' })
  const stop = h('button', { type: 'button', class: 'tw-button' }, 'Stop')
  stop.addEventListener('click', () => {
    stop.disabled = true
    stop.textContent = 'Stopping …'
    onStop()
  })
  return {
    element: h(
      'section',
      { class: 'tw-card demo-progress', 'aria-label': 'Progress' },
      h('div', { class: 'demo-progress-head' }, h('p', {}, where, ' ', count), stop),
      bar,
    ),
    update: ({ dataflow, done, total, seen }) => {
      bar.max = total
      bar.value = done
      where.textContent = flowSwatch(dataflow).label
      count.textContent = `${done + 1} of ${total}, ${plural(seen, 'mapping')} evaluated`
    },
  }
}
