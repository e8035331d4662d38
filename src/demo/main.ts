/**
 * The demo: opens the device, takes a network and a dataflow, runs and verifies it layer by layer, shows the report.
 * Think of it as the command `tilewright profile` with a page for a terminal.
 */
import { h } from '../profile/html/dom.ts'
import { plural } from '../profile/html/format.ts'
import { mountReport, type Mounted } from '../profile/html/page.ts'
import { reportCss } from '../profile/html/style.ts'
import { checksOf, rowsOf } from '../profile/html/data.ts'
import type { ProfileReport } from '../profile/report.ts'
import demoCss from './demo.css?raw'
import { Engine } from './engine.ts'
import { dataflowPicker, networkPicker, settings } from './form.ts'
import { deviceCard, errorCard, progressPanel } from './panels.ts'
import { saveHtml } from './save.ts'

document.head.append(h('style', {}, reportCss(), demoCss))

const engine = new Engine()
const app = document.querySelector('#app') ?? document.body
const device = deviceCard()
const network = networkPicker((source) => engine.call('inspect', source))
const dataflow = dataflowPicker()
const options = settings()
const run = h('button', { type: 'submit', class: 'demo-run', disabled: true }, 'Run and verify')
const outcome = h('div', { class: 'demo-outcome', 'aria-live': 'polite' })
const reportRoot = h('div', { id: 'report' })
let shown: Mounted | undefined

const form = h(
  'form',
  {
    class: 'demo-form',
    'aria-label': 'What to run',
    submit: (event) => {
      event.preventDefault()
      void start()
    },
  },
  step('1', 'Network', network.element),
  step('2', 'Dataflow', dataflow.element),
  step('3', 'How', options.element, h('div', { class: 'demo-go' }, run)),
)

app.append(
  h(
    'div',
    { class: 'tw-report demo' },
    h(
      'header',
      { class: 'demo-header' },
      h('h1', {}, 'Tilewright'),
      h(
        'p',
        { class: 'tw-lede' },
        'Run a network on your own GPU as accelerator dataflows: every layer checked against the CPU, every access counted, energy and time side by side.',
      ),
      device.element,
      h('p', { class: 'demo-other' }, h('a', { href: './explore.html' }, 'Explore mappings on an accelerator'), ': no GPU needed.'),
    ),
    form,
    outcome,
  ),
  reportRoot,
)

function step(number: string, title: string, ...content: HTMLElement[]): HTMLElement {
  return h(
    'section',
    { class: 'tw-card demo-step', 'aria-label': title },
    h('h2', {}, h('span', { class: 'demo-number', 'aria-hidden': 'true' }, number), title),
    ...content,
  )
}

async function openDevice(): Promise<void> {
  try {
    const { adapter, f16 } = await engine.call('open', undefined)
    device.show(adapter)
    options.offer({ f16 })
    run.disabled = false
  } catch (error) {
    device.fail()
    outcome.replaceChildren(
      errorCard('No device to run on', error, [
        h(
          'button',
          {
            type: 'button',
            class: 'tw-button',
            click: () => {
              outcome.replaceChildren()
              void openDevice()
            },
          },
          'Try again',
        ),
      ]),
    )
  }
}

async function start(): Promise<void> {
  const source = network.source()
  if (source === undefined) {
    outcome.replaceChildren(errorCard('No network is chosen', new Error('Choose a network of the list, or open an ONNX file.')))
    return
  }
  const cancel = new AbortController()
  const panel = progressPanel(() => {
    cancel.abort()
  })
  run.disabled = true
  shown?.destroy()
  outcome.replaceChildren(panel.element)
  panel.element.scrollIntoView({ block: 'nearest' })
  try {
    const request = { source, dataflows: dataflow.names(), ...options.values() }
    const report = await engine.call('profile', request, { signal: cancel.signal, onProgress: panel.update })
    finish(report)
  } catch (error) {
    const stopped = cancel.signal.aborted
    outcome.replaceChildren(
      stopped ? h('p', { class: 'demo-note' }, 'Cancelled before the first row was done.') : errorCard('This run failed', error),
    )
  } finally {
    panel.stop()
    run.disabled = false
  }
}

function finish(report: ProfileReport): void {
  const { run: rows, verified, counted, unequal, skipped } = checksOf(rowsOf(report))
  if (rows.length === 0 && skipped.length === 0) {
    outcome.replaceChildren(h('p', { class: 'demo-note' }, 'Cancelled before the first row was done.'))
    return
  }
  const good = verified.length === rows.length && unequal.length === 0
  const parts = [
    `${verified.length} of ${plural(rows.length, 'row')} verified`,
    counted.length > 0 ? `counted = predicted on ${counted.length - unequal.length} of ${counted.length}` : '',
    skipped.length > 0 ? `${skipped.length} skipped` : '',
    report.complete ? '' : 'cancelled early',
  ]
  const verdict = h(
    'p',
    { class: `demo-verdict ${good ? 'tw-good' : 'tw-bad'}`, role: 'status' },
    `${good ? '✓' : '✗'} ${parts.filter(Boolean).join(' · ')}`,
  )
  outcome.replaceChildren(verdict)
  const save = h('button', { type: 'button', class: 'tw-button' }, 'Save page')
  save.addEventListener('click', () => {
    void saveHtml(report, save)
  })
  shown = mountReport(reportRoot, report, { actions: [save] })
  verdict.scrollIntoView({ block: 'start', behavior: 'smooth' })
}

void openDevice()
