/** What `tilewright prune` shows: layers, what is left dense, totals, and the pruned network beside the dense one. */
import type { EnergyPlan } from '../graph/prune-energy.ts'
import type { PruneReport } from '../graph/prune.ts'
import type { Compared, Comparison, Share } from '../profile/prune-compare.ts'
import type { EnergyTotals } from '../sparsity/energy-aware.ts'
import { parsePattern } from '../sparsity/pattern.ts'
import { colorsFor, type Colors, type Context } from './context.ts'
import { dimensions, grouped, scientific, short, table, wrapped, type Column } from './table.ts'

export const PRUNE_SCHEMA = 'tilewright.prune/1'

export interface PruneResult {
  readonly model: string
  readonly file: string | undefined
  readonly report: PruneReport
  /** Where layers were pruned by energy. */
  readonly plan: EnergyPlan | undefined
  /** What the networks were compared on. */
  readonly inputs: string | undefined
  readonly comparison: Comparison | undefined
}

/** The result as JSON has it. */
export function pruneJson({ model, file, report, plan, inputs, comparison }: PruneResult): object {
  return {
    schema: PRUNE_SCHEMA,
    model,
    file: file ?? null,
    ...report,
    ...(plan === undefined ? {} : { energy: plan }),
    comparison:
      comparison === undefined
        ? null
        : {
            inputs,
            dense: comparison.dense,
            ...Object.fromEntries([...comparison.pruned].map(([name, own]) => [keyOf(name), own])),
          },
  }
}

function keyOf(name: string): string {
  return name.replaceAll(/\W+/g, '_')
}

export function renderPrune(context: Context, result: PruneResult): string {
  const colors = colorsFor(context, context.out)
  const { report, comparison, inputs } = result
  return [
    `${colors.bold(result.model)}, ${report.pattern}${report.permuted ? ', channels permuted' : ''}`,
    '',
    layerTable(result, colors),
    '',
    ...denseLines(report),
    ...totalLines(report),
    ...(result.plan === undefined ? [] : ['', ...energyLines(result.plan, colors)]),
    ...(comparison === undefined ? [] : ['', `On ${inputs ?? ''}, beside the dense network:`, comparisonTable(comparison, colors)]),
  ].join('\n')
}

function layerTable({ report: { permuted, layers } }: PruneResult, colors: Colors): string {
  const columns: Column[] = [
    { title: 'Layer' },
    { title: 'Op' },
    { title: 'Weights' },
    { title: 'Not zero', align: 'right' },
    { title: 'Sparsity', align: 'right' },
    { title: 'Kept |w|', align: 'right' },
    ...(permuted ? [{ title: 'Permuted', align: 'right' as const }] : []),
    { title: 'At best', align: 'right' },
  ]
  const rows = layers.map((layer) => {
    return [
      layer.nodes.length > 1 ? `${layer.name} +${layer.nodes.length - 1}` : layer.name,
      layer.op,
      dimensions(layer.shape),
      grouped(layer.non_zero),
      percent(layer.sparsity),
      percent(layer.retained_unpermuted, 2),
      ...(permuted ? [percent(layer.retained, 2)] : []),
      percent(layer.retained_unstructured, 2),
    ]
  })
  return table(columns, rows, colors)
}

/** What is saved, layer by layer and in all, beside the same zeros spread evenly. */
function energyLines(plan: EnergyPlan, colors: Colors): string[] {
  const { hardware, dataflow, rules, unit, layers, totals, uniform, bound } = plan
  const about = rules === 'own' ? 'its own rules about zeros' : 'it has no rules about zeros: taken to pass over them'
  const columns: Column[] = [
    { title: 'Layer' },
    ...(uniform === null ? [] : [{ title: 'Evenly', align: 'right' as const }]),
    ...['Sparsity', 'Kept |w|', 'Energy', 'Pruned', 'Saved', 'A zero saves'].map((title) => ({ title, align: 'right' as const })),
  ]
  const cells = (layer: EnergyTotals): string[] => [
    ...[percent(layer.sparsity), percent(layer.retained, 2), short(layer.energy_before), short(layer.energy)],
    ...[percent(layer.saved / layer.energy_before), short(layer.saved_per_zero)],
  ]
  const evenly = new Map(uniform?.layers.map(({ name, sparsity }) => [name, percent(sparsity)]))
  const rows = layers.map((layer) => [layer.name, ...(uniform === null ? [] : [evenly.get(layer.name) ?? '']), ...cells(layer)])
  const of = unit === undefined ? '' : `, in units of ${unit}`
  const totalRows =
    uniform === null
      ? [['all', ...cells(totals)]]
      : [
          ['all, by energy', '', ...cells(totals)],
          ['all, evenly', percent(uniform.totals.sparsity), ...cells(uniform.totals)],
        ]
  return [
    `Energy on ${hardware}${dataflow === null ? '' : `, ${dataflow}`}${of} (${about}):`,
    table(columns, [...rows, ...totalRows], colors),
    ...(uniform === null || bound === null ? [] : ['', spreadLine(totals, uniform.totals, bound)]),
    ...reasonLines(layers.flatMap(({ name, reason }) => (reason === undefined ? [] : [{ name, reason }]))),
  ]
}

function spreadLine(totals: EnergyTotals, uniform: EnergyTotals, bound: number): string {
  const more = (totals.saved - uniform.saved) / totals.energy_before
  const compared = Math.abs(more) < 5e-4 ? 'as much as' : `${percent(Math.abs(more))} ${more > 0 ? 'more' : 'less'} than`
  return (
    `${grouped(totals.zeros)} zeros either way. Spread by energy, no layer losing more than ${percent(bound)} of its Σ|w|, they save ` +
    `${percent(totals.saved / totals.energy_before)} of these layers' energy, ${compared} evenly`
  )
}

function denseLines({ dense }: PruneReport): string[] {
  if (dense.length === 0) return []
  return ['Left dense:', ...reasonLines(dense.map(({ name, op, reason }) => ({ name: `${name} (${op})`, reason }))), '']
}

/** A line for each reason, with the layers that have it. */
function reasonLines(layers: readonly { readonly name: string; readonly reason: string }[]): string[] {
  const reasons = new Map<string, string[]>()
  for (const { name, reason } of layers) reasons.set(reason, [...(reasons.get(reason) ?? []), name])
  return [...reasons].map(([reason, names]) => `  ${wrapped(`${reason}: ${names.join(', ')}`, 4)}`)
}

function totalLines({ pattern, totals, groups, permuted }: PruneReport): string[] {
  const { pruned } = totals
  const kept = permuted
    ? `${percent(pruned.retained_unpermuted, 2)} as they lie, ${percent(pruned.retained, 2)} permuted`
    : percent(pruned.retained, 2)
  const lines = [
    `${pruned.layers} of ${totals.layers} layers pruned: ${percent(pruned.sparsity)} of their weights are zero, ` +
      `${percent(totals.sparsity)} of all ${grouped(totals.weights)}`,
    `Kept of their Σ|w|: ${kept}; as many weights, the largest of each layer, would keep ${percent(pruned.retained_unstructured, 2)} (at best)`,
  ]
  if (permuted) {
    const moved = groups.filter(({ left }) => left === undefined).length
    const efficacy = totals.efficacy === null ? '' : `: efficacy ${totals.efficacy.toFixed(1)} %`
    lines.push(`${moved} of ${groups.length} groups of channels permuted${efficacy}`)
    if (totals.efficacy !== null) lines.push(EFFICACY)
  }
  return [...lines, ...roundingLine(pattern)].map((line) => wrapped(line))
}

/** As Pool and Yu define it (NeurIPS 2021). */
const EFFICACY = 'Efficacy: (permuted − as they lie) / (at best − as they lie) of the Σ|w| kept'

/** What is as near to the part asked for as it goes. */
function roundingLine(pattern: string): string[] {
  const { kind } = parsePattern(pattern)
  if (kind === '2:4' || kind === 'unstructured') return []
  const parts = { filter: 'filters', channel: 'input channels', block: 'blocks' }[kind]
  return [`Of each layer's ${parts} so many are zero as the part asked for gives, rounded (halves up); one stays at least`]
}

function comparisonTable({ dense, pruned }: Comparison, colors: Colors): string {
  const agreement = [...pruned.values()][0]?.agreement ?? null
  const columns: Column[] = [
    { title: 'Network' },
    { title: 'Output' },
    { title: 'Max |error|', align: 'right' },
    { title: 'Relative', align: 'right' },
    ...(agreement === null ? [] : [{ title: 'Same class', align: 'right' as const }]),
    ...(dense.accuracy === null ? [] : [{ title: 'Right class', align: 'right' as const }]),
  ]
  const cells = (share: Share | null): string[] => (share === null ? [] : [`${share.right} of ${share.of}`])
  const rows = [...pruned].flatMap(([name, { errors, agreement: alike, accuracy }]: [string, Compared]) =>
    errors.map(({ output, max_abs, relative }, index) => [
      index === 0 ? name : '',
      output,
      scientific(max_abs),
      scientific(relative),
      ...(index === 0 ? [...cells(alike), ...cells(accuracy)] : []),
    ]),
  )
  const own = dense.accuracy === null ? [] : [['dense', '', '', '', ...(agreement === null ? [] : ['']), ...cells(dense.accuracy)]]
  return `${table(columns, [...own, ...rows], colors)}\nRelative: ‖pruned − dense‖ / ‖dense‖ over all inputs`
}

function percent(share: number, digits = 1): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(digits)} %` : '–'
}
