/** The demo's form: a network of the list or an ONNX file, one dataflow or several, and how to run. */
import { NETWORKS } from '../../models/index.ts'
import { kindOf } from '../profile/html/data.ts'
import { freshId, h } from '../profile/html/dom.ts'
import { listed, plural, si } from '../profile/html/format.ts'
import { chip } from '../profile/html/header.ts'
import { colour, dataflowSwatch } from '../profile/html/palette.ts'
import { DATAFLOW_NAMES, DATAFLOWS } from '../schedule/dataflow.ts'
import { dataflowOverview, dataflowView } from './dataflow-view.ts'
import { errorCard } from './panels.ts'
import type { Inspected, ProfileRequest, Source } from './protocol.ts'

export interface NetworkPicker {
  readonly element: HTMLElement
  /** Undefined while a file is read, and after one that cannot be run. */
  readonly source: () => Source | undefined
}

export function networkPicker(inspect: (source: Source) => Promise<Inspected>): NetworkPicker {
  const id = freshId('network')
  const about = h('div', { class: 'demo-about', 'aria-live': 'polite' })
  const select = h('select', { id, name: 'network' }, ...NETWORKS.map(({ name, title }) => h('option', { value: name }, title)))
  const fileOption = h('option', { value: 'file', hidden: true }, '')
  const input = h('input', {
    type: 'file',
    accept: '.onnx,application/octet-stream',
    class: 'demo-file',
    'aria-label': 'Open an ONNX file',
  })
  const drop = h(
    'label',
    { class: 'demo-drop' },
    input,
    h('span', {}, h('strong', {}, 'Open an ONNX file'), ' or drop it here. It stays on this machine.'),
  )
  select.append(fileOption)
  let file: { file: string; bytes: Uint8Array } | undefined
  let source: Source | undefined
  let asked = 0

  async function choose(next: Source): Promise<void> {
    const turn = ++asked
    source = undefined
    about.replaceChildren(h('p', { class: 'tw-note' }, 'Reading the network …'))
    try {
      const found = await inspect(next)
      if (turn !== asked) return
      source = next
      about.replaceChildren(describe(found))
    } catch (error) {
      if (turn === asked)
        about.replaceChildren(errorCard('file' in next ? `${next.file} cannot be run` : 'This network cannot be run', error))
    }
  }

  async function take(given: File | undefined): Promise<void> {
    if (given === undefined) return
    file = { file: given.name, bytes: new Uint8Array(await given.arrayBuffer()) }
    fileOption.textContent = given.name
    fileOption.hidden = false
    select.value = 'file'
    await choose(file)
  }

  select.addEventListener('change', () => {
    const next = select.value === 'file' ? file : { network: select.value }
    if (next !== undefined) void choose(next)
  })
  input.addEventListener('change', () => {
    void take(input.files?.[0])
    input.value = ''
  })
  for (const name of ['dragover', 'dragleave', 'drop'] as const) {
    drop.addEventListener(name, (event) => {
      event.preventDefault()
      drop.classList.toggle('demo-over', name === 'dragover')
      if (name === 'drop') void take(event.dataTransfer?.files[0])
    })
  }
  const first = NETWORKS[0]
  if (first !== undefined) void choose({ network: first.name })
  return {
    element: h(
      'div',
      {},
      h('div', { class: 'tw-field' }, h('label', { for: id }, 'A network with seeded weights'), select),
      drop,
      about,
    ),
    source: () => source,
  }
}

function describe({ layers, nodes, bound }: Inspected): HTMLElement {
  const macs = layers.reduce((sum, layer) => sum + layer.macs, 0)
  const conv = layers.filter(({ problem }) => kindOf(problem) === 'conv').length
  const kinds = [conv > 0 ? `${conv} CONV` : '', conv < layers.length ? `${layers.length - conv} FC` : '']
    .filter(Boolean)
    .join(' and ')
  const run = `${plural(layers.length, 'layer')} run as dataflows (${kinds || 'none'}), ${si(macs)} MACs; ${plural(nodes, 'node')} in all.`
  return h('p', { class: 'tw-note' }, bound.length === 0 ? run : `${run} Open dimensions are taken as 1: ${listed(bound)}.`)
}

const CHOICES = ['all', ...DATAFLOW_NAMES, 'fastest'] as const

export interface DataflowPicker {
  readonly element: HTMLElement
  readonly names: () => string[]
}

export function dataflowPicker(): DataflowPicker {
  const name = freshId('dataflow')
  const view = h('div', { class: 'demo-view' })
  const radios = CHOICES.map((value) => h('input', { type: 'radio', name, value, checked: value === 'rs' }))
  const labels = radios.map((radio) => {
    const swatch = dataflowSwatch(radio.value)
    const text = radio.value === 'all' ? 'all seven, side by side' : swatch.label
    return h(
      'label',
      { class: 'demo-flow' },
      radio,
      radio.value === 'all'
        ? h(
            'span',
            { class: 'demo-all', 'aria-hidden': 'true' },
            ...DATAFLOW_NAMES.map((flow) => chip(colour(dataflowSwatch(flow)))),
          )
        : chip(colour(swatch)),
      text,
    )
  })
  const chosen = () => radios.find(({ checked }) => checked)?.value ?? 'all'
  function draw(): void {
    const flow = DATAFLOW_NAMES.find((known) => known === chosen())
    const all = DATAFLOW_NAMES.map((known) => DATAFLOWS[known])
    view.replaceChildren(
      flow !== undefined ? dataflowView(DATAFLOWS[flow]) : chosen() === 'all' ? dataflowOverview(all) : defaultKernels(),
    )
  }
  const element = h(
    'div',
    { class: 'demo-flows', change: draw },
    h('fieldset', {}, h('legend', { class: 'demo-hidden' }, 'Dataflow'), ...labels),
    view,
  )
  draw()
  return { element, names: () => [chosen()] }
}

function defaultKernels(): HTMLElement {
  return h(
    'p',
    { class: 'tw-note' },
    'Each layer runs with the default kernels of the engine: timed and verified, not a dataflow of the model.',
  )
}

export interface Settings {
  readonly element: HTMLElement
  readonly values: () => Pick<ProfileRequest, 'hardware' | 'precision' | 'samples'>
  readonly offer: (device: { f16: boolean }) => void
}

export function settings(): Settings {
  const ids = { hardware: freshId('hardware'), precision: freshId('precision'), samples: freshId('samples') }
  const hardware = h(
    'select',
    { id: ids.hardware, name: 'hardware' },
    h('option', { value: 'gpu' }, 'this GPU, from its limits'),
    h('option', { value: 'eyeriss' }, 'Eyeriss'),
  )
  const half = h('option', { value: 'f16', disabled: true }, 'f16')
  const precision = h('select', { id: ids.precision, name: 'precision' }, h('option', { value: 'f32' }, 'f32'), half)
  const samples = h('input', { id: ids.samples, type: 'number', name: 'samples', value: 3, min: 1, max: 100, required: true })
  const field = (id: string, label: string, control: HTMLElement) =>
    h('div', { class: 'tw-field' }, h('label', { for: id }, label), control)
  return {
    element: h(
      'div',
      { class: 'demo-settings' },
      field(ids.hardware, 'Energy model', hardware),
      field(ids.precision, 'Precision', precision),
      field(ids.samples, 'Timed samples', samples),
    ),
    values: () => ({
      hardware: hardware.value,
      precision: precision.value === 'f16' ? 'f16' : 'f32',
      samples: samples.valueAsNumber,
    }),
    offer: ({ f16 }) => {
      half.disabled = !f16
      half.textContent = f16 ? 'f16' : 'f16 (not on this device)'
    },
  }
}
