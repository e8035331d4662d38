/** One evaluation, and the difference of two, as elements of a page: what `tilewright evaluate` and `tilewright diff` print. */
import { entangled, factor, type Change, type DiffRow, type MappingDiff } from '../../../cost/diff.ts'
import type { Evaluation } from '../../../cost/evaluation.ts'
import { OPERANDS } from '../../../schedule/problem.ts'
import { h } from '../dom.ts'
import { integer, percent, si } from '../format.ts'
import { table } from '../table.ts'

interface AccessRow {
  readonly level: string
  readonly operand: string
  readonly reads: number
  readonly fills: number
  readonly updates: number
}

/** Accesses by level and operand, and the totals in words. */
export function evaluationView(evaluation: Evaluation, unit: string): HTMLElement {
  const { accesses, energy, cycles, utilization, macs, network, time } = evaluation
  const rows = Object.entries(accesses).flatMap(([level, operands]) =>
    OPERANDS.map((operand): AccessRow => ({ level, operand, ...operands[operand] })),
  )
  const facts = [
    ['Energy', `${si(energy.total)} ${unit}`, `${(energy.total / macs).toFixed(2)} per MAC`],
    ['Cycles', integer(cycles), time === undefined ? '' : `waits for ${time.bound}`],
    ['Utilisation', percent(utilization), `${si(macs)} MACs`],
    ['Hops', si(OPERANDS.reduce((sum, operand) => sum + network.hops[operand], 0)), 'between neighbours'],
  ] as const
  return h(
    'div',
    {},
    h(
      'dl',
      { class: 'tw-facts tw-small' },
      ...facts.map(([term, value, note]) =>
        h('div', {}, h('dt', {}, term), h('dd', {}, value, h('span', { class: 'tw-unit' }, note))),
      ),
    ),
    table<AccessRow>({
      caption: 'Words, totals over all instances of a level.',
      columns: [
        { label: 'Level', value: ({ level }) => level, head: true },
        { label: 'Operand', value: ({ operand }) => operand },
        { label: 'Reads', value: ({ reads }) => reads, format: integer },
        { label: 'Fills', value: ({ fills }) => fills, format: integer },
        { label: 'Updates', value: ({ updates }) => updates, format: integer },
      ],
      rows,
    }),
  )
}

const signed = (value: number): string => (value > 0 ? `+${si(value)}` : si(value).replace('-', '−'))
const change = ({ a, b }: Change, show: (value: number) => string): string => `${show(a)} → ${show(b)}`

/** Totals, what was done differently, and line by line which access grew and why. */
export function diffView(diff: MappingDiff, unit: string, names: readonly [string, string]): HTMLElement {
  const { energy, cycles, utilization, differences, rows, equal } = diff
  if (differences.length === 0) return h('p', { class: 'tw-note' }, 'The two mappings are the same.')
  const facts = [
    ['Energy', change(energy, si), `${factor(energy)}, ${unit}`],
    ['Cycles', change(cycles, integer), factor(cycles)],
    ['Utilisation', change(utilization, percent), factor(utilization)],
  ] as const
  return h(
    'div',
    {},
    h(
      'p',
      { class: 'tw-note' },
      `From ${names[0]} to ${names[1]}. Every part is an ablation: the difference alone is taken, on several ways from one to the other; parts add up to the whole change.`,
    ),
    h(
      'dl',
      { class: 'tw-facts tw-small' },
      ...facts.map(([term, value, note]) =>
        h('div', {}, h('dt', {}, term), h('dd', {}, value, h('span', { class: 'tw-unit' }, note))),
      ),
    ),
    table({
      caption: 'What the second does otherwise, and the energy put down to it.',
      columns: [
        { label: 'Difference', value: ({ label }) => label, head: true },
        { label: 'Energy', unit, value: ({ energy: part }) => part, format: signed },
      ],
      rows: differences.toSorted((one, other) => Math.abs(other.energy) - Math.abs(one.energy)),
    }),
    entangled(diff) !== '' && h('p', { class: 'tw-note' }, entangled(diff)),
    table<DiffRow>({
      caption: `Accesses that differ, most energy first; ${equal} lines are equal.`,
      columns: [
        { label: 'Access', value: nameOf, head: true },
        { label: 'First', unit: 'words', value: ({ words }) => words.a, format: integer },
        { label: 'Second', unit: 'words', value: ({ words }) => words.b, format: integer },
        {
          label: 'Ratio',
          value: ({ words }) => (words.a === 0 ? Infinity : words.b / words.a),
          format: (value) => (value === Infinity ? 'new' : factor({ a: 1, b: value, change: value - 1 })),
        },
        { label: 'Energy', unit, value: ({ energy: part }) => part.change, format: signed },
        { label: 'Why', value: ({ summary }) => summary, show: (row) => reasons(row, differences) },
      ],
      rows,
    }),
  )
}

const nameOf = ({ level, kind, operand }: DiffRow): string =>
  operand === undefined ? `${level} ${kind}` : `${level} ${kind} of ${operand}`

function reasons({ parts }: DiffRow, differences: MappingDiff['differences']): HTMLElement {
  const items = parts.map(({ words, difference, why }) => {
    const label = differences[difference]?.label ?? ''
    return h('li', {}, h('strong', {}, `${signed(words)} `), label, why !== '' && h('span', { class: 'tw-unit' }, ` ${why}`))
  })
  const [first, ...more] = items
  return h(
    'div',
    { class: 'tw-why' },
    h('ul', {}, first),
    more.length > 0 && h('details', {}, h('summary', {}, `${more.length} more`), h('ul', {}, ...more)),
  )
}
