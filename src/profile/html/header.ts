/** The top of the page: what was run on what, how times were taken, and the report in words, failures first and red. */
import type { ProfileReport } from '../report.ts'
import { checksOf, dataflowsOf, rowsOf } from './data.ts'
import type { Row } from './data.ts'
import type { Child } from './dom.ts'
import { append, h } from './dom.ts'
import { error, integer, plural, ratio, si } from './format.ts'
import { dataflowSwatch } from './palette.ts'
import type { Sentence } from './summary.ts'
import { summarise } from './summary.ts'

export function header(report: ProfileReport, actions: readonly Child[]): HTMLElement {
  const rows = rowsOf(report)
  const checks = checksOf(rows)
  const failed = rows.filter(({ status }) => status === 'failed')
  const macs = report.layers.reduce((sum, layer) => sum + layer.macs, 0)
  const extent = [
    plural(report.layers.length, 'layer'),
    plural(dataflowsOf(report).length, 'dataflow'),
    `${si(macs)} MACs`,
    `batch ${report.batch}`,
    report.precision,
  ].join(' · ')
  const verified = checks.unverified.length === 0 && checks.verified.length > 0
  const equal = checks.unequal.length === 0 && checks.counted.length > 0
  return h(
    'header',
    { class: 'tw-header' },
    h(
      'div',
      { class: 'tw-title' },
      h('p', { class: 'tw-eyebrow' }, 'Tilewright profile'),
      h('div', { class: 'tw-actions' }, ...actions),
    ),
    h('h1', {}, report.model),
    h('p', { class: 'tw-lede' }, extent),
    h(
      'ul',
      { class: 'tw-badges', 'aria-label': 'State of this report' },
      report.adapter.software && badge('warn', 'software adapter: figures rank nothing'),
      !report.complete && badge('warn', 'stopped early'),
      verified && badge('good', `✓ ${checks.verified.length} of ${checks.run.length} verified`),
      checks.unverified.length > 0 && badge('bad', `✗ ${checks.unverified.length} not verified`),
      equal && badge('good', `✓ counted = predicted on ${checks.counted.length}`),
      checks.unequal.length > 0 && badge('bad', `✗ counts differ on ${checks.unequal.length}`),
      checks.skipped.length > 0 && badge('plain', `${checks.skipped.length} skipped`),
    ),
    failed.length > 0 && alarm(failed),
    facts(report, macs),
    summary(summarise(report)),
  )
}

function badge(tone: 'good' | 'bad' | 'warn' | 'plain', text: string): HTMLElement {
  return h('li', { class: `tw-badge tw-${tone}` }, text)
}

function alarm(failed: readonly Row[]): HTMLElement {
  const items = failed.map((row) => h('li', {}, h('strong', {}, `${row.layer} · ${row.dataflow}: `), failureOf(row)))
  const title = `${plural(failed.length, 'row')} ${failed.length === 1 ? 'fails its check' : 'fail their checks'}: do not trust these figures`
  return h('section', { class: 'tw-alarm', role: 'alert' }, h('h2', {}, `✗ ${title}`), h('ul', {}, ...items))
}

/** Why a row failed, in words. */
export function failureOf({ result, differences }: Row): string {
  const reasons: string[] = []
  if (result.verified === false) {
    const bound = result.max_error_ratio === undefined ? '' : `, ${ratio(result.max_error_ratio)} the bound`
    reasons.push(
      `the result differs from the CPU reference (largest error ${result.max_error === undefined ? 'unknown' : error(result.max_error)}${bound})`,
    )
  }
  const [first] = differences
  if (first !== undefined) {
    const more = differences.length > 1 ? ` and ${differences.length - 1} more` : ''
    reasons.push(`${first.what}: predicted ${integer(first.predicted)}, counted ${integer(first.counted)}${more}`)
  } else if (result.counted_equal === false) reasons.push('counted accesses differ from the prediction')
  return reasons.join('; ')
}

function facts(report: ProfileReport, macs: number): HTMLElement {
  const { adapter, clock } = report
  const name = adapter.description || adapter.device || adapter.architecture || 'unnamed'
  const who = [adapter.vendor, adapter.architecture].filter((part) => part !== '' && !name.includes(part)).join(' ')
  const source = clock.source === 'timestamp-query' ? 'timestamp queries on the device' : 'wall clock around batches'
  const pairs: readonly (readonly [term: string, value: Child, note?: string])[] = [
    ['Adapter', name, [who, adapter.software ? 'software' : ''].filter(Boolean).join(' · ')],
    ['Energy model', report.hardware, 'modelled, never measured'],
    ['Clock', source, `smallest step ${quantum(clock.quantum_ns)}`],
    ['Samples', samples(report), `after ${plural(report.warmups, 'warm-up')}`],
    ['Work', `${integer(macs)} MACs`, `${plural(report.layers.length, 'layer')} listed, batch ${report.batch}`],
    ['Date', dateOf(report.date)],
  ]
  const list = h('dl', { class: 'tw-facts' })
  for (const [term, value, note] of pairs) {
    append(list, [
      h(
        'div',
        {},
        h('dt', {}, term),
        h('dd', {}, value, note !== undefined && note !== '' && h('span', { class: 'tw-unit' }, note)),
      ),
    ])
  }
  const extra = [...adapter.toggles.map((toggle) => `toggle ${toggle}`), ...adapter.features]
  if (extra.length === 0) return list
  return h(
    'div',
    {},
    list,
    h('details', { class: 'tw-more-facts' }, h('summary', {}, 'Adapter features and toggles'), h('p', {}, extra.join(', '))),
  )
}

function quantum(ns: number): string {
  return ns >= 1000 ? `${si(ns / 1000)} µs` : `${si(ns)} ns`
}

/** Slow rows may have taken fewer than was asked for. */
function samples(report: ProfileReport): string {
  const taken = rowsOf(report).flatMap(({ result }) => result.samples_ms?.length ?? [])
  const least = Math.min(report.samples, ...taken)
  const most = Math.max(least, ...(taken.length > 0 ? taken : [report.samples]))
  const count = least === most ? `${most}` : `${least} to ${most}`
  return most === 1 ? '1 per row' : `${count} per row, median shown`
}

function dateOf(date: string): string {
  const parsed = new Date(date)
  return Number.isNaN(parsed.getTime()) ? date : `${parsed.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

const TAGS: Readonly<Record<Sentence['kind'], string>> = {
  check: 'checked',
  alarm: 'failed',
  modelled: 'modelled',
  measured: 'measured',
  note: 'note',
}

function summary(sentences: readonly Sentence[]): HTMLElement {
  const items = sentences.map(({ kind, text }) =>
    h('li', { class: `tw-say tw-say-${kind}` }, h('span', { class: `tw-tag tw-tag-${kind}` }, TAGS[kind]), h('span', {}, text)),
  )
  return h('section', { class: 'tw-summary', 'aria-label': 'In words' }, h('ul', {}, ...items))
}

/** A small square of a colour, for legends. */
export function chip(colourValue: string): HTMLElement {
  return h('span', { class: 'tw-chip', style: `background:${colourValue}`, 'aria-hidden': 'true' })
}

/** rs, spelled out for titles. */
export function spelled(dataflow: string): string {
  return dataflowSwatch(dataflow).label
}
