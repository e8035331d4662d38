/** What the demo says: the device, the progress of a run, errors with their names. */
import { h } from '../profile/html/dom.ts'
import { duration } from '../profile/html/format.ts'
import { dataflowSwatch } from '../profile/html/palette.ts'
import type { ProfileProgress } from '../profile/profile.ts'
import type { AdapterDescription } from '../profile/report.ts'

export function deviceCard(): { element: HTMLElement; show: (adapter: AdapterDescription) => void; fail: () => void } {
  const element = h('p', { class: 'demo-device', role: 'status' }, 'Opening the device …')
  return {
    element,
    show: (adapter) => {
      const { vendor, architecture, device, description, software } = adapter
      const name = description || device || [vendor, architecture].filter(Boolean).join(' ') || 'a WebGPU adapter'
      const who = [vendor, architecture].filter((part) => part !== '' && !name.toLowerCase().includes(part.toLowerCase())).join(' ')
      element.replaceChildren(
        h('span', { class: 'demo-dot', 'aria-hidden': 'true' }),
        h('span', {}, 'Device: ', h('strong', {}, name), who === '' ? '' : ` (${who})`),
        ...(software ? [h('span', { class: 'tw-badge tw-warn' }, 'software adapter: figures rank nothing')] : []),
      )
    },
    fail: () => {
      element.replaceChildren(
        h('span', { class: 'demo-dot demo-dot-bad', 'aria-hidden': 'true' }),
        h('span', {}, 'No WebGPU device'),
      )
    },
  }
}

/** An error for people: what was tried, the error's name, and its message, which holds the remedy. */
export function errorCard(title: string, error: unknown, actions: readonly HTMLElement[] = []): HTMLElement {
  const name = error instanceof Error ? error.name : 'Error'
  const message = error instanceof Error ? error.message : String(error)
  const heading = name === 'Error' ? title : `${title}: ${name}`
  return h(
    'section',
    { class: 'tw-alarm', role: 'alert' },
    h('h2', {}, heading),
    h('p', { class: 'demo-message' }, message),
    ...actions,
  )
}

const PHASES: Readonly<Record<ProfileProgress['phase'], string>> = {
  peaks: 'measuring what this device can do',
  reference: 'computing on the CPU for comparison',
  map: 'looking for a mapping',
  verify: 'running and comparing with the CPU',
  time: 'timing',
  count: 'counting every access',
}

export interface ProgressPanel {
  readonly element: HTMLElement
  readonly update: (event: ProfileProgress) => void
  readonly stop: () => void
}

export function progressPanel(onCancel: () => void): ProgressPanel {
  const started = performance.now()
  const bar = h('progress', { max: 1, value: 0, 'aria-label': 'Progress of the run' })
  const where = h('strong', {}, 'Preparing the network …')
  const phase = h('span', { class: 'tw-unit' })
  const clock = h('span', { class: 'demo-clock' })
  const cancel = h('button', { type: 'button', class: 'tw-button' }, 'Cancel')
  let done = 0
  let total = 0
  cancel.addEventListener('click', () => {
    cancel.disabled = true
    cancel.textContent = 'Stopping …'
    onCancel()
  })
  function tick(): void {
    const elapsed = performance.now() - started
    const left = done > 1 && total > 0 ? ` · about ${rounded((elapsed / done) * (total - done))} left` : ''
    clock.textContent = `${rounded(elapsed)}${left}`
  }
  const timer = setInterval(tick, 500)
  tick()
  return {
    element: h(
      'section',
      { class: 'tw-card demo-progress', 'aria-label': 'Progress' },
      h('div', { class: 'demo-progress-head' }, h('p', {}, where, ' ', phase), cancel),
      bar,
      h('div', { class: 'demo-progress-head' }, clock),
    ),
    update: ({ layer, dataflow, index, total: all, phase: now }) => {
      done = index
      total = all
      bar.max = all
      bar.value = index
      where.textContent = now === 'reference' ? layer : `${layer} · ${dataflowSwatch(dataflow).label}`
      phase.textContent = `${PHASES[now]} (row ${Math.min(index + 1, all)} of ${all})`
      tick()
    },
    stop: () => {
      clearInterval(timer)
    },
  }
}

function rounded(ms: number): string {
  return ms < 60_000
    ? duration(Math.max(1000, Math.round(ms / 1000) * 1000))
    : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}
