/** The report in words: what was run, what was checked, what the model says needs least energy, what was fastest. */
import type { ProfileReport } from '../report.ts'
import type { Checks, Kind, Row, Total } from './data.ts'
import { checksOf, dataflowsOf, energyUnit, rowsOf, totalsOf } from './data.ts'
import { duration, fixed, listed, plural, ratio } from './format.ts'
import { dataflowSwatch } from './palette.ts'

export interface Sentence {
  readonly kind: 'check' | 'modelled' | 'measured' | 'note' | 'alarm'
  readonly text: string
}

const KINDS: Readonly<Record<Kind, string>> = { conv: 'CONV', fc: 'FC' }

export function summarise(report: ProfileReport): Sentence[] {
  const rows = rowsOf(report)
  const checks = checksOf(rows)
  return [
    ...checkSentences(report, checks),
    ...(['conv', 'fc'] as const).flatMap((kind) => energySentence(report, rows, kind)),
    ...(report.adapter.software
      ? [
          {
            kind: 'note' as const,
            text: 'Times were taken on a software adapter: they show that every kernel runs, and rank nothing.',
          },
        ]
      : (['conv', 'fc'] as const).flatMap((kind) => timeSentence(rows, kind))),
  ]
}

function checkSentences(report: ProfileReport, checks: Checks): Sentence[] {
  const sentences: Sentence[] = []
  const say = (kind: Sentence['kind'], text: string) => sentences.push({ kind, text })
  const { run, verified, unverified, counted, unequal, skipped, unchecked } = checks
  const alarm = unverified.length > 0 || unequal.length > 0
  if (run.length > 0) {
    const reference = `${verified.length} of ${plural(run.length, 'row')} agree with the CPU reference`
    const counts =
      counted.length > 0 ? `; counted accesses equal the prediction on ${counted.length - unequal.length} of ${counted.length}` : ''
    say(alarm ? 'alarm' : 'check', `${reference}${counts}.`)
  } else say('note', 'No row has been run.')
  if (unchecked.length > 0) say('note', `${plural(unchecked.length, 'row')} ran without a comparison with the reference.`)
  if (skipped.length > 0) say('note', `${plural(skipped.length, 'row')} could not run here; the reasons are listed below.`)
  if (!report.complete) {
    const total = report.layers.length
    say(
      'note',
      `Stopped early: what follows covers ${plural(total, 'layer')} and ${plural(run.length, 'row')}; rows not reached are absent.`,
    )
  }
  return sentences
}

/** Totals over the layers of a kind that every compared dataflow has, so that no sum is short of a layer. */
function comparable(
  rows: readonly Row[],
  kind: Kind,
  has: (row: Row) => boolean,
): { totals: Total[]; left: string[]; layers: number } {
  const ofKind = rows.filter((row) => row.kind === kind)
  const layers = new Set(ofKind.map(({ layer }) => layer))
  const covered = (dataflow: string) => ofKind.filter((row) => row.dataflow === dataflow && has(row)).length === layers.size
  const names = [...new Set(ofKind.map(({ dataflow }) => dataflow))]
  const some = names.filter((name) => ofKind.some((row) => row.dataflow === name && has(row)))
  const kept = some.filter(covered)
  return {
    totals: totalsOf(ofKind.filter(({ dataflow }) => kept.includes(dataflow))),
    left: some.filter((name) => !covered(name)),
    layers: layers.size,
  }
}

const name = (dataflow: string) => dataflowSwatch(dataflow).label
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

function except(left: readonly string[]): string {
  return left.length === 0 ? '' : ` Left out, for want of a layer: ${listed(left.map(name))}.`
}

function energySentence(report: ProfileReport, rows: readonly Row[], kind: Kind): Sentence[] {
  const { totals, left } = comparable(rows, kind, ({ result }) => result.predicted !== undefined)
  const ranked = totals
    .map((total) => ({ ...total, perMac: total.energy / total.modelledMacs }))
    .toSorted((a, b) => a.energy - b.energy)
  const [best, next] = ranked
  const worst = ranked.at(-1)
  if (best === undefined || worst === undefined) return []
  const unit = energyUnit(report).short
  const figure = `${fixed(2)(best.perMac)} ${unit} per MAC`
  if (next === undefined)
    return [{ kind: 'modelled', text: `Modelled energy of ${name(best.dataflow)} in ${KINDS[kind]}: ${figure}.${except(left)}` }]
  const ties = ranked.filter(({ energy }) => energy < best.energy * 1.005)
  if (ties.length > 1) {
    const who = capital(listed(ties.map(({ dataflow }) => name(dataflow))))
    return [{ kind: 'modelled', text: `${who} need the least modelled energy alike in ${KINDS[kind]}: ${figure}.${except(left)}` }]
  }
  const others =
    next === worst
      ? `${capital(name(worst.dataflow))} needs ${ratio(worst.energy / best.energy)} as much`
      : `${capital(name(next.dataflow))}, the next, needs ${ratio(next.energy / best.energy)} as much; ${name(worst.dataflow)} ${ratio(worst.energy / best.energy)}`
  const text = `${capital(name(best.dataflow))} needs the least modelled energy in ${KINDS[kind]}: ${figure}. ${others}.${except(left)}`
  return [{ kind: 'modelled', text }]
}

function timeSentence(rows: readonly Row[], kind: Kind): Sentence[] {
  const { totals, left } = comparable(rows, kind, ({ result }) => result.time_ms !== undefined)
  const ranked = totals.toSorted((a, b) => a.time_ms - b.time_ms)
  const [best, next] = ranked
  if (best === undefined) return []
  const gflops = `${fixed(1)((2 * best.timedMacs) / best.time_ms / 1e6)} GFLOP/s`
  const versus =
    next === undefined
      ? ''
      : ` ${capital(name(next.dataflow))}, the next, take${next.dataflow === 'fastest' ? '' : 's'} ${ratio(next.time_ms / best.time_ms)} as long.`
  const text = `Shortest measured time in ${KINDS[kind]}: ${name(best.dataflow)}, ${duration(best.time_ms)} (${gflops}).${versus}${except(left)}`
  return [{ kind: 'measured', text }]
}

/** 7 dataflows × 8 layers */
export function extentOf(report: ProfileReport): string {
  return `${plural(report.layers.length, 'layer')} × ${plural(dataflowsOf(report).length, 'dataflow')}`
}
