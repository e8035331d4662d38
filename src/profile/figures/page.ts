/**
 * The page of Figs. 33 to 35: stacked bars as in the survey, what it says beside what comes out, and the numbers as tables.
 * Built of the parts of the profile page, so that colours, cards and tables are the same.
 */
import { OPERANDS, type Operand } from '../../schedule/problem.ts'
import { bars, type Datum } from '../html/bars.ts'
import { pageButtons } from '../html/buttons.ts'
import { append, h } from '../html/dom.ts'
import { figure, type Figure } from '../html/figure.ts'
import { fixed, integer, percent, plural, ratio, si } from '../html/format.ts'
import { MAC, NETWORK, OPERAND_SWATCHES, dataflowSwatch, levelSwatch, type Swatch } from '../html/palette.ts'
import { table, type Column } from '../html/table.ts'
import type { Claim } from './claims.ts'
import { PARTS, partOf, totalOf, type Part } from './energy.ts'
import type { Figures } from './result.ts'
import { byLayer, comparison, figuresCsv, singly, type SheetRow } from './sheets.ts'

const PART_SWATCHES: Readonly<Record<Part, Swatch>> = {
  ALU: { ...MAC, label: 'ALU' },
  DRAM: levelSwatch('DRAM', 0, 3),
  buffer: { ...levelSwatch('GLB', 1, 3), label: 'buffer' },
  array: { ...NETWORK, label: 'array' },
  RF: levelSwatch('RF', 2, 3),
}
const OPERAND_NAMES: Readonly<Record<Operand, string>> = { weights: 'weights', inputs: 'inputs', outputs: 'partial sums' }

/** Draws the figures into `root`, whose content it replaces. The style sheet (`reportCss`) is the caller's to add. */
export function mountFigures(root: HTMLElement, figures: Figures): { destroy: () => void } {
  const conv = comparison(figures.cells, 'conv')
  const fc = comparison(figures.cells, 'fc')
  const layers = byLayer(figures.cells)
  const drawn: Figure[] = []
  const section = (title: string, cards: readonly Figure[]): HTMLElement => {
    drawn.push(...cards)
    const grid = h('div', { class: 'tw-grid tw-pairs' }, ...cards.map(({ element }) => element))
    return h('section', { 'aria-label': title }, h('h2', {}, title), grid)
  }
  function comparisonSections(): HTMLElement[] {
    return (['conv', 'fc'] as const).flatMap((kind) => {
      const [here, theirs] = [comparison(figures.cells, kind), comparison(figures.published, kind)]
      if (here.length === 0) return []
      const title = kind === 'conv' ? 'Fig. 33: the CONV layers' : 'Fig. 34: the FC layers'
      return [section(title, [...pair(here, 'mapped here'), ...pair(theirs, 'by the authors’ formulas')])]
    })
  }
  root.classList.add('tw-report')
  root.replaceChildren(
    head(figures),
    ...comparisonSections(),
    ...(layers.length > 0 && figures.figure !== '33' && figures.figure !== '34'
      ? [section('Fig. 35: row stationary, layer by layer', [layerFigure(figures)])]
      : []),
    claimsCard(figures.claims),
    tables(figures, conv, fc, layers),
    foot(),
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

function head(figures: Figures): HTMLElement {
  const { claims, cells, batch, convention, complete, budget, seed } = figures
  const agreed = claims.filter(({ agrees }) => agrees).length
  const dataflows = new Set(cells.map(({ dataflow }) => dataflow)).size
  const network = convention === 'isca16' ? 'network charged for each delivery (ISCA 2016)' : 'network charged for each hop'
  const seen = cells.reduce((sum, { searched }) => sum + searched.seen, 0)
  const { run } = figures
  const facts = h('dl', { class: 'tw-facts' })
  for (const [term, value, note] of [
    ['Chip', '256 PEs', 'storage on one area for all'],
    ['Energy', '1 · 1 · 2 · 6 · 200', 'MAC, register file, array, buffer, DRAM'],
    ['Network', convention === 'isca16' ? 'each delivery' : 'each hop', `convention ${convention}`],
    ['Mappings', `${integer(seen)} seen`, `at most ${integer(budget)} each, seed ${seed}`],
    ['Batch', integer(batch), 'pictures'],
    ['Stationary', figures.stationary === 'end' ? 'to the end' : 'within a buffer tile', 'how long an operand stays in a PE'],
    ...(run === undefined ? [] : [['Run', `${run.seconds.toFixed(0)} s`, `${run.date.slice(0, 10)}, ${run.machine}`] as const]),
  ] as const) {
    append(facts, [h('div', {}, h('dt', {}, term), h('dd', {}, value, h('span', { class: 'tw-unit' }, note)))])
  }
  return h(
    'header',
    { class: 'tw-header' },
    h(
      'div',
      { class: 'tw-title' },
      h('p', { class: 'tw-eyebrow' }, 'Tilewright figures'),
      h('div', { class: 'tw-actions' }, ...pageButtons('figures-33-35', figures, () => figuresCsv(cells))),
    ),
    h('h1', {}, 'AlexNet under six dataflows, on one chip area'),
    h(
      'p',
      { class: 'tw-lede' },
      `Figs. 33 to 35 of Sze et al. 2017, computed anew · ${plural(dataflows, 'dataflow')} · batch ${batch} · ${network}`,
    ),
    h(
      'ul',
      { class: 'tw-badges', 'aria-label': 'State of these figures' },
      h('li', { class: 'tw-badge tw-warn' }, 'modelled, never measured'),
      !complete && h('li', { class: 'tw-badge tw-warn' }, 'stopped early'),
      agreed > 0 && h('li', { class: 'tw-badge tw-good' }, `✓ ${agreed} of ${plural(claims.length, 'claim')} hold here`),
      agreed < claims.length && h('li', { class: 'tw-badge tw-plain' }, `${claims.length - agreed} come out differently`),
    ),
    facts,
  )
}

function claimsCard(claims: readonly Claim[]): HTMLElement {
  const items = claims.map(({ where, survey, ours, agrees, published }) =>
    h(
      'li',
      { class: 'tw-say' },
      h('span', { class: agrees ? 'tw-tag tw-tag-check' : 'tw-tag tw-tag-differs' }, agrees ? '✓ agrees' : '✗ differs'),
      h(
        'span',
        {},
        survey,
        h('span', { class: 'tw-unit' }, ` ${where}`),
        h('span', { class: 'tw-ours' }, `Here: ${ours}`),
        published !== undefined &&
          h(
            'span',
            { class: 'tw-ours' },
            `By the authors’ formulas: ${published.value}${published.agrees ? '' : ' (differs too)'}`,
          ),
      ),
    ),
  )
  const title = 'What the survey says, and what comes out here'
  return h(
    'section',
    { class: 'tw-summary', 'aria-label': title },
    h('h2', {}, title),
    h('p', { class: 'tw-note' }, 'Numbers by dataflow are energies per MAC, in the energy of one MAC.'),
    h('ul', {}, ...items),
  )
}

/** (a) by part of the chip, (b) by operand. */
function pair(rows: readonly SheetRow[], whose: string): Figure[] {
  const names = rows.map(({ name }) => name)
  const describe = ({ name, total, toRs }: SheetRow, what: string, value: number): string =>
    [
      `${name}, ${dataflowSwatch(name).label}`,
      `${what} ${value.toFixed(3)} of ${total.toFixed(3)}`,
      toRs === undefined ? '' : `${ratio(toRs)} row stationary`,
    ]
      .filter((line) => line !== '')
      .join('\n')
  const stacked =
    (groups: readonly string[], data: readonly Datum[], swatch: (group: string) => Swatch, ariaLabel: string) => (width: number) =>
      bars({ data, layers: [''], dataflows: names, groups, swatch, width, log: false, label: 'energy per MAC', ariaLabel })
  const byPart = rows.flatMap((row) =>
    PARTS.map((part): Datum => ({
      layer: '',
      dataflow: row.name,
      group: part,
      value: row.parts[part],
      title: describe(row, part, row.parts[part]),
    })),
  )
  const byOperand = rows.flatMap((row) =>
    OPERANDS.map((operand): Datum => ({
      layer: '',
      dataflow: row.name,
      group: OPERAND_NAMES[operand],
      value: row.operands[operand],
      title: describe(row, OPERAND_NAMES[operand], row.operands[operand]),
    })),
  )
  const partSwatch = (group: string): Swatch => PART_SWATCHES[PARTS.find((part) => part === group) ?? 'ALU']
  const operandSwatch = (group: string): Swatch => ({
    ...OPERAND_SWATCHES[OPERANDS.find((operand) => OPERAND_NAMES[operand] === group) ?? 'weights'],
    label: group,
  })
  return [
    figure({
      title: `(a) By part of the chip, ${whose}`,
      tag: 'modelled',
      unit: 'energy per MAC, in MACs',
      legend: PARTS.map((part) => ({ key: part, swatch: PART_SWATCHES[part] })),
      draw: stacked(PARTS, byPart, partSwatch, `Energy per MAC by part of the chip, ${whose}`),
    }),
    figure({
      title: `(b) By data, ${whose}`,
      tag: 'modelled',
      unit: 'energy per MAC, in MACs',
      legend: OPERANDS.map((operand) => ({ key: OPERAND_NAMES[operand], swatch: operandSwatch(OPERAND_NAMES[operand]) })),
      notes: ['Without the ALU, which takes 1 everywhere.'],
      draw: stacked(
        OPERANDS.map((operand) => OPERAND_NAMES[operand]),
        byOperand,
        operandSwatch,
        `Energy per MAC by data, ${whose}`,
      ),
    }),
  ]
}

function layerFigure({ cells }: Figures): Figure {
  const own = cells.filter(({ dataflow }) => dataflow === 'rs')
  const data = own.flatMap(({ layer, energy }) =>
    PARTS.map((part): Datum => {
      const value = partOf(energy, part)
      return {
        layer: '',
        dataflow: layer,
        group: part,
        value,
        title: `${layer}\n${part} ${si(value)} MACs\n${percent(value / totalOf(energy))} of the layer`,
      }
    }),
  )
  return figure({
    title: 'Layers under row stationary, by part of the chip',
    tag: 'modelled',
    unit: 'energy of the batch, in MACs',
    wide: true,
    legend: PARTS.map((part) => ({ key: part, swatch: PART_SWATCHES[part] })),
    draw: (width) =>
      bars({
        data,
        layers: [''],
        dataflows: own.map(({ layer }) => layer),
        groups: PARTS,
        swatch: (group) => PART_SWATCHES[PARTS.find((part) => part === group) ?? 'ALU'],
        width,
        log: false,
        label: 'energy',
        ariaLabel: 'Energy of each layer under row stationary, by part of the chip',
      }),
  })
}

function tables(figures: Figures, conv: readonly SheetRow[], fc: readonly SheetRow[], layers: readonly SheetRow[]): HTMLElement {
  const three = fixed(3)
  const columns = (first: string): readonly Column<SheetRow>[] => [
    { label: first, value: ({ name }) => name, head: true },
    ...PARTS.map((part): Column<SheetRow> => ({ label: part, value: ({ parts }) => parts[part], format: three })),
    ...OPERANDS.map((operand): Column<SheetRow> => ({
      label: OPERAND_NAMES[operand],
      value: ({ operands }) => operands[operand],
      format: three,
    })),
    { label: 'Total', value: ({ total }) => total, format: three },
  ]
  const card = (title: string, content: HTMLElement): HTMLElement =>
    h('details', { class: 'tw-card', open: true }, h('summary', {}, title), content)
  const against: Column<SheetRow> = { label: 'To rs', value: ({ toRs }) => toRs, format: ratio }
  const share: Column<SheetRow> = { label: 'Of the network', value: ({ share: part }) => part, format: percent }
  const caption =
    'Energy per MAC, in the energy of one MAC. The parts make up the total; so do the ALU and the three kinds of data.'
  return h(
    'section',
    { class: 'tw-tables', 'aria-label': 'Tables' },
    h('h2', {}, 'Tables'),
    card(
      'Designs of one area',
      table({
        caption: 'What each dataflow makes of the area of 256 register files of 512 B and a buffer of 128 KiB.',
        columns: [
          { label: 'Dataflow', value: ({ dataflow }) => dataflow, head: true },
          { label: 'Register file', unit: 'bytes, each PE', value: ({ rf_bytes: bytes }) => bytes, format: integer },
          { label: 'Buffer', unit: 'bytes', value: ({ buffer_bytes: bytes }) => bytes, format: integer },
          { label: 'A PE keeps', value: ({ stores }) => stores, show: ({ stores }) => h('span', { class: 'tw-nowrap' }, stores) },
        ],
        rows: figures.designs,
      }),
    ),
    conv.length > 0 && card('Fig. 33', table({ caption, columns: [...columns('Dataflow'), against], rows: conv })),
    fc.length > 0 && card('Fig. 34', table({ caption, columns: [...columns('Dataflow'), against], rows: fc })),
    !figures.complete && card('Layers that were done', table({ caption, columns: columns('Layer'), rows: singly(figures.cells) })),
    layers.length > 0 && card('Row stationary by layer', table({ caption, columns: [...columns('Layer'), share], rows: layers })),
  )
}

function foot(): HTMLElement {
  return h(
    'footer',
    { class: 'tw-footer' },
    h(
      'p',
      {},
      'Each layer runs under the best mapping found for its dataflow; energies follow from counted accesses and the normalised costs of Chen, Emer and Sze, ISCA 2016, Table IV. Sizes of register files and the area of a byte are theirs too. docs/figures.md says where the outcome parts from the survey, and why.',
    ),
  )
}
