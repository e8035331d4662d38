/** What the reader chooses: layers, dataflows, linear or logarithmic, whole figures or per MAC. Plain form elements. */
import type { Row, Selection } from './data.ts'
import { h, freshId } from './dom.ts'
import { chip } from './header.ts'
import { colour, dataflowSwatch } from './palette.ts'

export interface View extends Selection {
  readonly log: boolean
  readonly perMac: boolean
}

export function controls(
  rows: readonly Row[],
  dataflows: readonly string[],
  onChange: (view: View) => void,
): { element: HTMLElement; view: () => View } {
  const layers = layerSelect(rows)
  const boxes = dataflows.map((dataflow) => {
    const box = h('input', { type: 'checkbox', name: 'dataflow', value: dataflow, checked: true })
    const swatch = dataflowSwatch(dataflow)
    return { box, label: h('label', { class: 'tw-pill', title: swatch.label }, box, chip(colour(swatch)), dataflow) }
  })
  const log = choice('Scale', ['linear', 'log'])
  const perMac = choice('Values', ['whole', 'per MAC'])

  const view = (): View => ({
    layers: layers.select.value,
    dataflows: new Set(boxes.filter(({ box }) => box.checked).map(({ box }) => box.value)),
    log: log.value() === 'log',
    perMac: perMac.value() === 'per MAC',
  })
  const element = h(
    'form',
    {
      class: 'tw-controls',
      'aria-label': 'What is shown',
      change: () => {
        onChange(view())
      },
      submit: (event) => {
        event.preventDefault()
      },
    },
    layers.element,
    h('fieldset', {}, h('legend', {}, 'Dataflows'), ...boxes.map(({ label }) => label)),
    log.element,
    perMac.element,
  )
  return { element, view }
}

function layerSelect(rows: readonly Row[]): { element: HTMLElement; select: HTMLSelectElement } {
  const id = freshId('layers')
  const kinds = new Set(rows.map(({ kind }) => kind))
  const names = [...new Set(rows.map(({ layer }) => layer))]
  const option = (value: string, text: string) => h('option', { value }, text)
  const select = h(
    'select',
    { id, name: 'layers' },
    h(
      'optgroup',
      { label: 'Groups' },
      option('all', 'all layers'),
      kinds.has('conv') && option('conv', 'all CONV'),
      kinds.has('fc') && option('fc', 'all FC'),
    ),
    h('optgroup', { label: 'One layer' }, ...names.map((name) => option(`layer:${name}`, name))),
  )
  return { element: h('div', { class: 'tw-field' }, h('label', { for: id }, 'Layers'), select), select }
}

/** Radio buttons in a row, the first one chosen. */
export function choice(legend: string, values: readonly string[]): { element: HTMLElement; value: () => string } {
  const name = freshId('choice')
  const radios = values.map((value, index) => h('input', { type: 'radio', name, value, checked: index === 0 }))
  const labels = radios.map((radio, index) => h('label', { class: 'tw-segment' }, radio, h('span', {}, values[index])))
  return {
    element: h('fieldset', { class: 'tw-choice' }, h('legend', {}, legend), h('div', { class: 'tw-segments' }, ...labels)),
    value: () => radios.find(({ checked }) => checked)?.value ?? values[0] ?? '',
  }
}
