/**
 * The page of a mapping space: the chosen mapping of each dataflow beside the space it was chosen from, what it costs and where the
 * hardware's roof is. `tilewright map --html` writes it, and the explore page of the demo draws it.
 */
import { OPERANDS, macsOf, type Operand, type Problem } from '../../../schedule/problem.ts'
import type { Evaluation } from '../../../cost/evaluation.ts'
import { bars, type Datum } from '../bars.ts'
import { pageButtons } from '../buttons.ts'
import { countsOf, rowsOf } from '../data.ts'
import { h, freshId } from '../dom.ts'
import { emptyFigure, figure, type Figure } from '../figure.ts'
import { fixed, integer, percent, plural, ratio, si } from '../format.ts'
import { chip } from '../header.ts'
import { MAC, NETWORK, OPERAND_SWATCHES, colour, levelSwatch, type Swatch } from '../palette.ts'
import { countedPredicted } from '../scatter.ts'
import { table, type Column } from '../table.ts'
import { flowSwatch, spaceRoofline, spaceScatter } from './charts.ts'
import { intensitiesOf, paretoFront, pointsOf, roofLevels, roofsOf, unitOf, type Chosen, type MappingSpace } from './data.ts'

export interface SpaceMountOptions {
  /** Without title and footer, to be part of another page. */
  readonly bare?: boolean
}

/** Draws a mapping space into `root`, whose content it replaces. The style sheet (`reportCss`) is the caller's to add. */
export function mountMappingSpace(
  root: HTMLElement,
  space: MappingSpace,
  { bare = false }: SpaceMountOptions = {},
): { destroy: () => void } {
  const drawn: Figure[] = []
  const section = (title: string, cards: readonly Figure[], ...more: HTMLElement[]): HTMLElement => {
    drawn.push(...cards)
    const grid = h('div', { class: 'tw-grid tw-pairs' }, ...cards.map(({ element }) => element), ...more)
    return h('section', { 'aria-label': title }, h('h2', {}, title), grid)
  }
  const counted = countedFigure(space)
  if (!bare) root.classList.add('tw-report')
  root.replaceChildren(
    ...(bare ? [] : [head(space)]),
    ...(space.failed.length > 0 ? [failures(space)] : []),
    h(
      'section',
      { 'aria-label': 'Chosen mappings' },
      h('h2', {}, 'Chosen mappings'),
      h('div', { class: 'tw-card' }, chosenTable(space)),
    ),
    section('The mapping space', [scatterFigure(space)]),
    section('Energy of the chosen mappings', energyFigures(space)),
    section('Roofline and loop nest', [rooflineFigure(space)], nestCard(space.chosen)),
    ...(counted === undefined ? [] : [section('Predicted and counted', [counted])]),
    ...(bare ? [] : [foot(space)]),
  )
  const fit = (): void => {
    for (const { fit: fitOne } of drawn) fitOne()
  }
  fit()
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

const flowsOf = ({ chosen, samples }: MappingSpace): string[] => [
  ...new Set([...chosen.map(({ dataflow }) => dataflow), ...samples.map(({ dataflow }) => dataflow)]),
]

/** `M 96 · C 48 · P 27 …; stride 2×2`: what is not 1. */
export function problemWords(problem: Problem): string {
  const { stride, dilation, padding, groups } = problem
  const bounds = (['N', 'M', 'C', 'P', 'Q', 'R', 'S'] as const).filter((name) => problem[name] > 1)
  const extras = [
    groups > 1 ? `${groups} groups` : '',
    Math.max(...stride) > 1 ? `stride ${stride.join('×')}` : '',
    Math.max(...dilation) > 1 ? `dilation ${dilation.join('×')}` : '',
    Math.max(...padding) > 0 ? `padding ${padding.join(' ')}` : '',
  ]
  return [
    bounds.map((name) => `${name} ${problem[name]}`).join(' · ') || 'one multiply-accumulate',
    ...extras.filter(Boolean),
  ].join('; ')
}

function head(space: MappingSpace): HTMLElement {
  const { title, problem, hardware, objective, chosen, samples } = space
  const seen = chosen.reduce((sum, { searched }) => sum + (searched?.seen ?? 0), 0)
  const { x, y } = hardware.array
  const facts = [
    ['Hardware', hardware.name, `${x}×${y} array; ${hardware.levels.map(({ name }) => name).join(', ')}`],
    ['Objective', objective, 'of each search'],
    ['Evaluated', plural(seen, 'mapping'), 'by the searches'],
    ['Drawn', plural(samples.length, 'mapping'), 'from the space'],
  ] as const
  return h(
    'header',
    { class: 'tw-header' },
    h(
      'div',
      { class: 'tw-title' },
      h('p', { class: 'tw-eyebrow' }, 'Tilewright mappings'),
      h('div', { class: 'tw-actions' }, ...pageButtons('mappings', space, () => chosenCsv(space))),
    ),
    h('h1', {}, title),
    h('p', { class: 'tw-lede' }, `${problemWords(problem)} · ${si(macsOf(problem))} MACs`),
    h(
      'ul',
      { class: 'tw-badges', 'aria-label': 'State of these figures' },
      h('li', { class: 'tw-badge tw-warn' }, 'modelled, never measured'),
    ),
    h(
      'dl',
      { class: 'tw-facts' },
      ...facts.map(([term, value, note]) =>
        h('div', {}, h('dt', {}, term), h('dd', {}, value, h('span', { class: 'tw-unit' }, note))),
      ),
    ),
  )
}

function failures({ failed }: MappingSpace): HTMLElement {
  const items = failed.map(({ dataflow, why }) => h('li', {}, h('strong', {}, `${flowSwatch(dataflow).label}: `), why))
  return h(
    'section',
    { class: 'tw-alarm', 'aria-label': 'Without a mapping' },
    h('h2', {}, 'Without a mapping'),
    h('ul', {}, ...items),
  )
}

function chosenTable(space: MappingSpace): HTMLElement {
  const { chosen } = space
  const best = Math.min(...chosen.map(({ evaluation }) => evaluation.energy.total))
  const front = new Set(paretoFront(pointsOf(space)).flatMap(({ dataflow, chosen: is }) => (is ? [dataflow] : [])))
  const columns: Column<Chosen>[] = [
    {
      label: 'Dataflow',
      value: ({ dataflow }) => dataflow,
      head: true,
      show: ({ dataflow }) => h('span', { class: 'tw-nowrap' }, chip(colour(flowSwatch(dataflow))), flowSwatch(dataflow).label),
    },
    { label: 'Energy', unit: unitOf(space), value: ({ evaluation }) => evaluation.energy.total, format: si },
    { label: 'Per MAC', value: ({ evaluation }) => evaluation.energy.total / evaluation.macs, format: fixed(2) },
    { label: '× least', value: ({ evaluation }) => evaluation.energy.total / best, format: ratio },
    { label: 'Cycles', value: ({ evaluation }) => evaluation.cycles, format: integer },
    { label: 'Utilisation', value: ({ evaluation }) => evaluation.utilization, format: percent },
    {
      label: 'Energy × cycles',
      value: ({ evaluation }) => evaluation.energy.total * evaluation.cycles,
      format: (value) => value.toExponential(2),
    },
    { label: 'On the front', value: ({ dataflow }) => (front.has(dataflow) ? 'yes' : 'no') },
    {
      label: 'Evaluated',
      unit: 'of the space',
      value: ({ searched }) => searched?.seen,
      show: ({ searched }) =>
        searched === undefined
          ? '–'
          : `${integer(searched.seen)}${searched.exhaustive ? ', all' : ` of ${searched.total.toExponential(1)}`}`,
    },
  ]
  return table({ caption: 'The best mapping found under each dataflow. A press on a heading sorts.', columns, rows: chosen })
}

function chosenCsv({ chosen, hardware }: MappingSpace): string {
  const levels = hardware.levels.map(({ name }) => name)
  const quoted = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  const rows = chosen.map(({ dataflow, evaluation: { energy, cycles, utilization, macs } }) =>
    [
      dataflow,
      macs,
      cycles,
      utilization,
      energy.total,
      energy.mac,
      energy.network,
      ...levels.map((level) => energy.levels[level] ?? 0),
    ].join(','),
  )
  const header = [
    'dataflow',
    'macs',
    'cycles',
    'utilization',
    'energy',
    'energy_mac',
    'energy_network',
    ...levels.map((level) => quoted(`energy_${level}`)),
  ]
  return `${header.join(',')}\n${rows.join('\n')}\n`
}

function scatterFigure(space: MappingSpace): Figure {
  const points = pointsOf(space)
  const title = 'Energy against cycles'
  if (points.length === 0) return emptyFigure(title, 'modelled', 'No mapping was found.', true)
  const dataflows = flowsOf(space)
  const front = paretoFront(points)
  return figure({
    title,
    tag: 'modelled',
    wide: true,
    unit: `${plural(points.length, 'mapping')}; diamonds: chosen; dashed: Pareto front`,
    legend: dataflows.map((key) => ({ key, swatch: flowSwatch(key) })),
    notes: [
      space.samples.length > 0 &&
        'Small dots are drawn at random under each dataflow’s constraint, and on short walks downhill from there: a picture of the space, not a count of it.',
      'The nearest dot tells its mapping.',
    ],
    draw: (width) =>
      spaceScatter({
        points,
        dataflows,
        unit: unitOf(space),
        width,
        ariaLabel: `Energy against cycles of ${plural(points.length, 'mapping')}, ${front.length} on the Pareto front from ${si(front[0]?.cycles ?? 0)} cycles to ${si(front.at(-1)?.energy ?? 0)} ${unitOf(space)}`,
      }),
  })
}

function energyFigures(space: MappingSpace): Figure[] {
  const { chosen, hardware } = space
  const unit = unitOf(space)
  const levels = hardware.levels.map(({ name }) => name)
  const dataflows = chosen.map(({ dataflow }) => dataflow)
  const byLevel = [...levels, 'network', 'MAC']
  const swatch = (group: string): Swatch => {
    const operand = OPERANDS.find((name) => name === group)
    if (operand !== undefined) return OPERAND_SWATCHES[operand]
    if (group === 'network') return NETWORK
    return group === 'MAC' ? MAC : levelSwatch(group, levels.indexOf(group), levels.length)
  }
  const level = ({ energy }: Evaluation, group: string): number =>
    group === 'MAC' ? energy.mac : group === 'network' ? energy.network : (energy.levels[group] ?? 0)
  const operand = ({ energy }: Evaluation, group: string): number =>
    group === 'MAC' ? energy.mac : energy.per_operand[group as Operand]
  const one = (title: string, groups: readonly string[], of: (evaluation: Evaluation, group: string) => number): Figure => {
    if (chosen.length === 0) return emptyFigure(title, 'modelled', 'No mapping was found.')
    const data = chosen.flatMap(({ dataflow, evaluation }) =>
      groups.map((group): Datum => {
        const value = of(evaluation, group)
        const share = percent(value / evaluation.energy.total)
        return {
          layer: '',
          dataflow,
          group,
          value,
          title: `${flowSwatch(dataflow).label}\n${group} ${si(value)} ${unit}, ${share}`,
        }
      }),
    )
    return figure({
      title,
      tag: 'modelled',
      unit,
      legend: groups.map((key) => ({ key, swatch: swatch(key) })),
      draw: (width) =>
        bars({
          data,
          layers: [''],
          dataflows,
          groups,
          swatch,
          width,
          log: false,
          label: unit,
          ariaLabel: `${title} of ${plural(chosen.length, 'mapping')}`,
        }),
    })
  }
  return [one('By level', byLevel, level), one('By operand', [...OPERANDS, 'MAC'], operand)]
}

function rooflineFigure(space: MappingSpace): Figure {
  const { hardware } = space
  const points = intensitiesOf(space)
  const levels = roofLevels(hardware)
  if (points.length === 0) return emptyFigure('Roofline', 'modelled', 'No mapping was found.', true)
  const { peak, roofs } = roofsOf(hardware)
  const without = levels.filter((level) => !roofs.some((roof) => roof.level === level))
  const shapes = levels.map((level, index) => `${index === 0 ? 'circles' : 'squares'} ${level}`).join(', ')
  const clock =
    hardware.clock_hz === undefined
      ? ''
      : ` At ${si(hardware.clock_hz)}Hz the peak is ${si(peak * hardware.clock_hz)} operations per second.`
  return figure({
    title: 'Roofline',
    tag: 'modelled',
    wide: true,
    unit: shapes,
    legend: [...new Set(points.map(({ dataflow }) => dataflow))].map((key) => ({ key, swatch: flowSwatch(key) })),
    notes: [
      `Two operations per MAC; bytes are what goes through the ports of a level whose bandwidth is given: reads, or fills and updates, or both.${clock}`,
      without.length > 0 && `The hardware gives no bandwidth for ${without.join(' and ')}: no slope is drawn there.`,
    ],
    draw: (width) =>
      spaceRoofline({
        points,
        levels,
        dataflows: flowsOf(space),
        peak,
        roofs,
        width,
        ariaLabel: `Roofline of ${hardware.name}: peak ${si(peak)} operations per cycle, ${plural(points.length, 'point')}`,
      }),
  })
}

function nestCard(chosen: readonly Chosen[]): HTMLElement {
  const id = freshId('nest')
  const pre = h('pre', { class: 'tw-pre', tabindex: 0, 'aria-label': 'Loop nest' })
  const select = h(
    'select',
    { id, name: 'nest' },
    ...chosen.map(({ dataflow }, index) => h('option', { value: index }, flowSwatch(dataflow).label)),
  )
  const draw = (): void => {
    pre.textContent = chosen[Number(select.value)]?.nest ?? 'No mapping was found.'
  }
  select.addEventListener('change', draw)
  draw()
  return h(
    'figure',
    { class: 'tw-card tw-wide', 'aria-label': 'Loop nest' },
    h('figcaption', {}, h('h3', {}, 'Loop nest')),
    h('div', { class: 'tw-field' }, h('label', { for: id }, 'Mapping'), select),
    pre,
  )
}

/** Counts of a profile that ran this very problem. */
function countedFigure({ profile, problem }: MappingSpace): Figure | undefined {
  if (profile === undefined) return undefined
  const title = 'Counted against predicted'
  const same = JSON.stringify(problem)
  const points = rowsOf({ ...profile, layers: profile.layers.filter((layer) => JSON.stringify(layer.problem) === same) }).flatMap(
    (row) => {
      const { predicted, counted } = row.result
      return predicted?.issued === undefined || counted === undefined
        ? []
        : countsOf(predicted.issued, counted).map((count) => ({ row, count }))
    },
  )
  if (points.length === 0)
    return emptyFigure(title, 'checked', `The profile of ${profile.model} counted no layer with this problem.`, true)
  const unequal = points.filter(({ count }) => count.predicted !== count.counted).length
  const verdict =
    unequal === 0
      ? `All ${plural(points.length, 'figure')} are equal.`
      : `${unequal} of ${plural(points.length, 'figure')} differ: drawn red.`
  return figure({
    title,
    tag: 'checked',
    wide: true,
    unit: `${profile.model} on ${profile.adapter.description || profile.adapter.device || 'its adapter'}`,
    legend: OPERANDS.map((key) => ({ key, swatch: OPERAND_SWATCHES[key] })),
    notes: [verdict, 'Loads, stores, hops and MACs that the kernels of this problem counted as they ran.'],
    draw: (width) => countedPredicted({ points, width, ariaLabel: `Counted against predicted accesses: ${verdict}` }),
  })
}

function foot({ hardware }: MappingSpace): HTMLElement {
  const source = hardware.source === undefined ? '' : ` Hardware after: ${hardware.source}.`
  return h(
    'footer',
    { class: 'tw-footer' },
    h('p', {}, `Modelled: accesses, cycles and energy that each mapping implies on ${hardware.name}.${source}`),
  )
}
