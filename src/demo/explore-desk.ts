/**
 * Mappings by hand: the chosen ones as JSON to edit, evaluated as it is typed, refused by name where it is not legal; and two of them
 * compared. Think of it as the bench beside the search.
 */
import { freshId, h } from '../profile/html/dom.ts'
import { flowSwatch } from '../profile/html/mapping/charts.ts'
import { unitOf, type MappingSpace } from '../profile/html/mapping/data.ts'
import { diffView, evaluationView } from '../profile/html/mapping/views.ts'
import type { Mapping } from '../schedule/mapping.ts'
import type { ExploreEngine } from './explore-engine.ts'
import type { Subject } from './explore-protocol.ts'
import { errorCard } from './panels.ts'

/** A person waits this long for an evaluation. */
const LIMIT = 900
const PAUSE = 120

export interface Desk {
  readonly element: HTMLElement
  /** Takes the mappings of a search over. */
  readonly show: (space: MappingSpace) => void
  /** The problem or the hardware changed: what is written is judged anew. */
  readonly refresh: () => void
}

export function desk(engine: ExploreEngine, subject: () => Subject): Desk {
  const ids = { text: freshId('mapping'), from: freshId('from'), a: freshId('a'), b: freshId('b') }
  const text = h('textarea', { id: ids.text, name: 'mapping', rows: 22, spellcheck: 'false', class: 'demo-code' })
  const from = h('select', { id: ids.from, name: 'start' })
  const [a, b] = [h('select', { id: ids.a, name: 'first' }), h('select', { id: ids.b, name: 'second' })]
  const verdict = h('div', { class: 'demo-verdict-live', 'aria-live': 'polite' })
  const compared = h('div', { 'aria-live': 'polite' })
  const compare = h('button', { type: 'button', class: 'tw-button' }, 'Compare')
  let known: MappingSpace['chosen'] = []
  let unit = 'MAC energies'
  let timer: ReturnType<typeof setTimeout> | undefined
  let turn = 0

  async function judge(): Promise<void> {
    const mine = ++turn
    if (text.value.trim() === '') {
      verdict.replaceChildren(h('p', { class: 'tw-note' }, 'Search for mappings, or paste one here.'))
      return
    }
    try {
      const { evaluation, nest, unit: its } = await engine.call('evaluate', { ...subject(), mapping: text.value }, { limit: LIMIT })
      if (mine !== turn) return
      verdict.replaceChildren(
        h('p', { class: 'tw-badge tw-good demo-legal', role: 'status' }, '✓ legal'),
        evaluationView(evaluation, its),
        h('pre', { class: 'tw-pre', tabindex: 0, 'aria-label': 'Loop nest of the edited mapping' }, nest),
      )
    } catch (error) {
      if (mine === turn) verdict.replaceChildren(errorCard('Not legal', error))
    }
  }
  const refresh = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => void judge(), PAUSE)
  }
  text.addEventListener('input', refresh)
  from.addEventListener('change', () => {
    const mapping = known[Number(from.value)]?.mapping
    if (mapping === undefined) return
    text.value = mappingText(mapping)
    void judge()
  })

  const written = (choice: string): string => (choice === 'edited' ? text.value : JSON.stringify(known[Number(choice)]?.mapping))
  const nameOf = (choice: string): string =>
    choice === 'edited' ? 'the edited one' : flowSwatch(known[Number(choice)]?.dataflow ?? '').label
  compare.addEventListener('click', () => {
    compare.disabled = true
    const request = { ...subject(), a: written(a.value), b: written(b.value) }
    engine
      .call('diff', request, { limit: 20_000 })
      .then((diff) => compared.replaceChildren(diffView(diff, unit, [nameOf(a.value), nameOf(b.value)])))
      .catch((error: unknown) => compared.replaceChildren(errorCard('These cannot be compared', error)))
      .finally(() => (compare.disabled = false))
  })
  refresh()
  const field = (id: string, label: string, control: HTMLElement) =>
    h('div', { class: 'tw-field' }, h('label', { for: id }, label), control)
  return {
    element: h(
      'div',
      {},
      h(
        'section',
        { 'aria-label': 'Edit a mapping' },
        h('h2', {}, 'Edit a mapping'),
        h(
          'div',
          { class: 'demo-desk' },
          h('div', { class: 'tw-card' }, field(ids.from, 'Start from', from), field(ids.text, 'Mapping, as JSON', text)),
          h('div', { class: 'tw-card' }, verdict),
        ),
      ),
      h(
        'section',
        { 'aria-label': 'Compare two mappings' },
        h('h2', {}, 'Compare two mappings'),
        h(
          'div',
          { class: 'tw-card' },
          h('div', { class: 'demo-compare' }, field(ids.a, 'From', a), field(ids.b, 'To', b), compare),
          compared,
        ),
      ),
    ),
    show: (space) => {
      known = space.chosen
      unit = unitOf(space)
      const options = () => known.map(({ dataflow }, index) => h('option', { value: index }, flowSwatch(dataflow).label))
      const edited = () => h('option', { value: 'edited' }, 'the edited one')
      from.replaceChildren(...options())
      a.replaceChildren(...options(), edited())
      b.replaceChildren(...options(), edited())
      b.value = known.length > 1 ? '1' : 'edited'
      const [first] = known
      if (first !== undefined) text.value = mappingText(first.mapping)
      compared.replaceChildren()
      void judge()
    },
    refresh,
  }
}

/** A level to a few lines, so that a person can edit it. */
export function mappingText({ levels }: Mapping): string {
  const rows = levels.map(({ name, ...rest }) => {
    const parts = Object.entries({ name, ...rest }).map(([key, value]) => `"${key}": ${JSON.stringify(value)}`)
    return `    { ${parts.join(',\n      ')} }`
  })
  return `{\n  "levels": [\n${rows.join(',\n')}\n  ]\n}`
}
