/** What zeros leave of an evaluation, for people: counts done, gated and skipped apart, and the dense figures beside the sparse. */
import type { Evaluation, SparseCounts, SparseEvaluation } from '../cost/evaluation.ts'
import { OPERANDS } from '../schedule/problem.ts'
import type { Colors } from './context.ts'
import { grouped, short, table, type Column } from './table.ts'

const RIGHT = { align: 'right' } as const

/** @param show energy as text */
export function renderSparse(
  dense: Evaluation,
  sparse: SparseEvaluation,
  colors: Colors,
  show: (energy: number) => string,
): string {
  const columns: Column[] = [
    { title: 'Level' },
    { title: 'Operand' },
    { title: 'Accesses', ...RIGHT },
    { title: 'Done', ...RIGHT },
    { title: 'Gated', ...RIGHT },
    { title: 'Skipped', ...RIGHT },
    { title: 'Not stored', ...RIGHT },
    { title: 'Bits beside', ...RIGHT },
  ]
  const rows = Object.entries(sparse.accesses).flatMap(([level, operands]) =>
    OPERANDS.flatMap((operand) => {
      const { reads, fills, updates } = operands[operand]
      const all = dense.accesses[level]?.[operand]
      const total = (all?.reads ?? 0) + (all?.fills ?? 0) + (all?.updates ?? 0)
      if (total === 0) return []
      const sum = (of: (counts: SparseCounts) => number): number => of(reads) + of(fills) + of(updates)
      const [done, gated, skipped] = [sum(({ actual }) => actual), sum((counts) => counts.gated), sum((counts) => counts.skipped)]
      return [
        [
          level,
          operand,
          grouped(total),
          ...[done, gated, skipped, total - done - gated - skipped].map((count) => grouped(Math.round(count))),
          grouped(Math.round(sparse.metadata[level]?.[operand] ?? 0)),
        ],
      ]
    }),
  )
  const { macs, cycles, energy, saved } = sparse
  const given = OPERANDS.flatMap((operand) => {
    const density = sparse.densities[operand]
    return density === undefined ? [] : [`${operand} ${percent(density)}`]
  })
  const whole = (value: number): string => grouped(Math.round(value))
  const formats = dense.energy.total - energy.total - saved.gated - saved.skipped
  return [
    `With zeros (not zero: ${given.join(', ')}):`,
    table(columns, rows, colors),
    '',
    `${whole(macs.performed)} MACs done, ${whole(macs.gated)} gated, ${whole(macs.skipped)} skipped; ${whole(macs.effective)} have no zero factor`,
    `${grouped(cycles)} cycles, ${times(dense.cycles / cycles)} of the dense speed, utilisation ${(100 * sparse.utilization).toPrecision(3)} %, ` +
      `bound by ${sparse.time.bound}`,
    `Energy ${show(energy.total)}, ${percent(energy.total / dense.energy.total)} of the dense: gating saves ${show(saved.gated)}, ` +
      `skipping ${show(saved.skipped)}, formats ${show(formats)} (their bits taken off)`,
  ].join('\n')
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`
}

function times(factor: number): string {
  return `${short(factor)}×`
}
