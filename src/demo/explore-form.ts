/** The explore page's form: a layer or bounds typed by hand, a hardware by name or as JSON, dataflows, and what to look for. */
import { HARDWARE_NAMES } from '../../models/hardware/index.ts'
import { NETWORKS } from '../../models/index.ts'
import { freshId, h } from '../profile/html/dom.ts'
import { plural, si } from '../profile/html/format.ts'
import { chip } from '../profile/html/header.ts'
import { flowSwatch } from '../profile/html/mapping/charts.ts'
import { colour } from '../profile/html/palette.ts'
import { DATAFLOW_NAMES } from '../schedule/dataflow.ts'
import type { Hardware } from '../schedule/hardware.ts'
import type { Objective } from '../schedule/mapper.ts'
import { parseHardware } from '../schedule/parse.ts'
import type { Problem } from '../schedule/problem.ts'
import { errorCard } from './panels.ts'
import type { LayerChoice, Subject } from './explore-protocol.ts'

const field = (id: string, label: string, control: HTMLElement): HTMLElement =>
  h('div', { class: 'tw-field' }, h('label', { for: id }, label), control)

/** The fields of a problem; lists are numbers apart. */
const BOUNDS = ['N', 'M', 'C', 'P', 'Q', 'R', 'S', 'groups'] as const
const LISTS = { stride: '1 1', dilation: '1 1', padding: '0 0 0 0' } as const
const MEANINGS: Readonly<Record<(typeof BOUNDS)[number], string>> = {
  N: 'batch',
  M: 'filters',
  C: 'channels',
  P: 'output rows',
  Q: 'output columns',
  R: 'filter rows',
  S: 'filter columns',
  groups: 'groups',
}

export interface ProblemForm {
  readonly element: HTMLElement
  /** `alexnet:conv2`, or `problem` where it was changed by hand. */
  readonly title: () => string
  /** As JSON text, not checked. */
  readonly json: () => string
}

export function problemForm(layersOf: (network: string) => Promise<readonly LayerChoice[]>, changed: () => void): ProblemForm {
  const ids = { network: freshId('network'), layer: freshId('layer') }
  const network = h(
    'select',
    { id: ids.network, name: 'network' },
    ...NETWORKS.map(({ name, title }) => h('option', { value: name }, title)),
  )
  const layer = h('select', { id: ids.layer, name: 'layer' })
  const about = h('div', { 'aria-live': 'polite' })
  const inputs = new Map<string, HTMLInputElement>()
  let layers: readonly LayerChoice[] = []
  let title = 'problem'
  const typed = (): void => {
    title = 'problem'
    changed()
  }
  const bounds = BOUNDS.map((name) => {
    const id = freshId(name)
    const input = h('input', {
      id,
      name,
      inputmode: 'numeric',
      value: '1',
      autocomplete: 'off',
      input: typed,
      'aria-label': MEANINGS[name],
    })
    inputs.set(name, input)
    return h('div', { class: 'tw-field', title: MEANINGS[name] }, h('label', { for: id }, name), input)
  })
  const lists = Object.entries(LISTS).map(([name, value]) => {
    const id = freshId(name)
    const input = h('input', { id, name, value, autocomplete: 'off', input: typed })
    inputs.set(name, input)
    return field(id, name, input)
  })

  function show(problem: Problem, name: string): void {
    const known: Readonly<Record<string, number | readonly number[]>> = { ...problem }
    for (const [key, input] of inputs) {
      const value = known[key]
      if (value !== undefined) input.value = typeof value === 'number' ? String(value) : value.join(' ')
    }
    title = name
    changed()
  }
  function choose(): void {
    const found = layers.find(({ name }) => name === layer.value)
    if (found !== undefined) show(found.problem, `${network.value}:${found.name}`)
  }
  let asked = 0
  async function load(): Promise<void> {
    const turn = ++asked
    try {
      const found = await layersOf(network.value)
      if (turn !== asked) return
      layers = found
      about.replaceChildren()
      layer.replaceChildren(...layers.map(({ name }) => h('option', { value: name }, name)))
      choose()
    } catch (error) {
      if (turn === asked) about.replaceChildren(errorCard('This network cannot be read', error))
    }
  }
  network.value = 'alexnet'
  network.addEventListener('change', () => void load())
  layer.addEventListener('change', choose)
  void load()
  return {
    element: h(
      'div',
      {},
      h('div', { class: 'demo-pair' }, field(ids.network, 'Network', network), field(ids.layer, 'Layer', layer)),
      about,
      h('div', { class: 'demo-bounds' }, ...bounds),
      h('div', { class: 'demo-lists' }, ...lists),
    ),
    title: () => title,
    json: () => {
      const number = (text: string): number | string => (/^\s*[+-]?[\d.]+(e\d+)?\s*$/i.test(text) ? Number(text) : text.trim())
      const value = (key: string): unknown => {
        const text = inputs.get(key)?.value ?? ''
        return key in LISTS
          ? text
              .split(/[\s,×x]+/)
              .filter((part) => part !== '')
              .map(number)
          : number(text)
      }
      return JSON.stringify(Object.fromEntries([...inputs.keys()].map((key) => [key, value(key)])))
    },
  }
}

export interface HardwareForm {
  readonly element: HTMLElement
  /** A name, or JSON text. */
  readonly given: () => Subject['hardware']
}

export function hardwareForm(jsonOf: (name: string) => Promise<string>, changed: () => void): HardwareForm {
  const ids = { select: freshId('hardware'), json: freshId('hardware-json') }
  const select = h(
    'select',
    { id: ids.select, name: 'hardware' },
    ...HARDWARE_NAMES.map((name) => h('option', { value: name }, name)),
  )
  const text = h('textarea', {
    id: ids.json,
    name: 'hardware-json',
    rows: 12,
    spellcheck: 'false',
    class: 'demo-code',
    input: changed,
  })
  const about = h('div', { class: 'tw-note' })
  const own = h('details', { class: 'demo-own' }, h('summary', {}, 'Change it, as JSON'), field(ids.json, 'Hardware', text))
  async function fill(): Promise<void> {
    try {
      const name = select.value
      const json = await jsonOf(name)
      if (name === select.value) {
        text.value = json
        const known = parseHardware(JSON.parse(json))
        about.replaceChildren(h('p', {}, hardwareWords(known)), ...(known.source === undefined ? [] : [h('p', {}, known.source)]))
      }
    } catch {
      // The name alone will do: it is refused, if at all, where it is used.
      text.value = ''
    }
    changed()
  }
  select.addEventListener('change', () => void fill())
  void fill()
  return {
    element: h('div', {}, field(ids.select, 'Published as', select), about, own),
    given: () => (own.open && text.value.trim() !== '' ? text.value : select.value),
  }
}

/** `14×12 array · DRAM · GLB 55,296 words · RF 256 words`. */
function hardwareWords({ array, levels, clock_hz: clock }: Hardware): string {
  const sizes = levels.map(({ name, words }) => (words === undefined ? name : `${name} ${plural(words, 'word')}`))
  return [`${array.x}×${array.y} array`, ...sizes, ...(clock === undefined ? [] : [`${si(clock)}Hz`])].join(' · ')
}

export interface SearchForm {
  readonly element: HTMLElement
  readonly values: () => {
    readonly dataflows: string[]
    readonly objective: Objective
    readonly budget: number
    readonly seed: number
  }
}

const OBJECTIVES: readonly (readonly [Objective, string])[] = [
  ['energy', 'energy'],
  ['edp', 'energy × cycles'],
  ['latency', 'cycles'],
]

export function searchForm(): SearchForm {
  const ids = { objective: freshId('objective'), budget: freshId('budget'), seed: freshId('seed') }
  const boxes = [...DATAFLOW_NAMES, 'none'].map((name) =>
    h('input', { type: 'checkbox', name: 'dataflow', value: name, checked: true }),
  )
  const labels = boxes.map((box) => {
    const swatch = flowSwatch(box.value)
    return h('label', { class: 'tw-pill' }, box, chip(colour(swatch)), swatch.label)
  })
  const objective = h(
    'select',
    { id: ids.objective, name: 'objective' },
    ...OBJECTIVES.map(([value, label]) => h('option', { value }, label)),
  )
  const budget = h('input', {
    id: ids.budget,
    type: 'number',
    name: 'budget',
    value: 10_000,
    min: 1,
    max: 10_000_000,
    required: true,
  })
  const seed = h('input', { id: ids.seed, type: 'number', name: 'seed', value: 1, min: 0, max: 1_000_000_000, required: true })
  return {
    element: h(
      'div',
      {},
      h('fieldset', { class: 'demo-pills' }, h('legend', { class: 'demo-hidden' }, 'Dataflows'), ...labels),
      h(
        'div',
        { class: 'demo-settings demo-three' },
        field(ids.objective, 'Least', objective),
        field(ids.budget, 'Mappings at most, each', budget),
        field(ids.seed, 'Seed', seed),
      ),
    ),
    values: () => ({
      dataflows: boxes.filter(({ checked }) => checked).map(({ value }) => value),
      objective: OBJECTIVES.find(([value]) => value === objective.value)?.[0] ?? 'energy',
      budget: budget.valueAsNumber,
      seed: seed.valueAsNumber,
    }),
  }
}
