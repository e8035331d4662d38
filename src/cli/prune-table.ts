/** What `tilewright prune` shows: layers, what is left dense, totals, and the pruned network beside the dense one. */
import type { LayerEnergy } from '../graph/prune-energy.ts'
import type { PrunedLayer, PruneReport } from '../graph/prune.ts'
import type { Compared, Comparison, Share } from '../profile/prune-compare.ts'
import { colorsFor, type Colors, type Context } from './context.ts'
import { dimensions, grouped, scientific, table, wrapped, type Column } from './table.ts'

export const PRUNE_SCHEMA = 'tilewright.prune/1'

export interface PruneResult {
  readonly model: string
  readonly file: string | undefined
  readonly report: PruneReport
  readonly energies: ReadonlyMap<string, LayerEnergy> | undefined
  readonly hardware: string | undefined
  /** What the networks were compared on. */
  readonly inputs: string | undefined
  readonly comparison: Comparison | undefined
}

/** The result as JSON has it. */
export function pruneJson({ model, file, report, energies, hardware, inputs, comparison }: PruneResult): object {
  const layers = report.layers.map((layer) => {
    const energy = energies === undefined ? undefined : energyOf(layer, energies)
    return energy === undefined ? layer : { ...layer, energy }
  })
  return {
    schema: PRUNE_SCHEMA,
    model,
    file: file ?? null,
    ...report,
    layers,
    ...(hardware === undefined ? {} : { hardware }),
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

function energyOf({ nodes }: PrunedLayer, energies: ReadonlyMap<string, LayerEnergy>): LayerEnergy {
  const own = nodes.map((name) => energies.get(name) ?? { total: 0, weights: 0 })
  return { total: own.reduce((sum, { total }) => sum + total, 0), weights: own.reduce((sum, { weights }) => sum + weights, 0) }
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
    ...(comparison === undefined ? [] : ['', `On ${inputs ?? ''}, beside the dense network:`, comparisonTable(comparison, colors)]),
  ].join('\n')
}

function layerTable({ report, energies }: PruneResult, colors: Colors): string {
  const { permuted } = report
  const all = energies === undefined ? 0 : [...energies.values()].reduce((sum, { total }) => sum + total, 0)
  const columns: Column[] = [
    { title: 'Layer' },
    { title: 'Op' },
    { title: 'Weights' },
    { title: 'Not zero', align: 'right' },
    { title: 'Sparsity', align: 'right' },
    { title: 'Kept |w|', align: 'right' },
    ...(permuted ? [{ title: 'Permuted', align: 'right' as const }] : []),
    { title: 'At best', align: 'right' },
    ...(energies === undefined
      ? []
      : [
          { title: 'Energy', align: 'right' as const },
          { title: 'of weights', align: 'right' as const },
        ]),
  ]
  const rows = report.layers.map((layer) => {
    const energy = energies === undefined ? undefined : energyOf(layer, energies)
    return [
      layer.nodes.length > 1 ? `${layer.name} +${layer.nodes.length - 1}` : layer.name,
      layer.op,
      dimensions(layer.shape),
      grouped(layer.non_zero),
      percent(layer.sparsity),
      percent(layer.retained_unpermuted, 2),
      ...(permuted ? [percent(layer.retained, 2)] : []),
      percent(layer.retained_unstructured, 2),
      ...(energy === undefined ? [] : [percent(energy.total / all), percent(energy.weights / all)]),
    ]
  })
  return table(columns, rows, colors)
}

function denseLines({ dense }: PruneReport): string[] {
  if (dense.length === 0) return []
  const reasons = new Map<string, string[]>()
  for (const { name, op, reason } of dense) reasons.set(reason, [...(reasons.get(reason) ?? []), `${name} (${op})`])
  return ['Left dense:', ...[...reasons].map(([reason, names]) => `  ${wrapped(`${reason}: ${names.join(', ')}`, 4)}`), '']
}

function totalLines({ totals, groups, permuted }: PruneReport): string[] {
  const { pruned } = totals
  const kept = permuted
    ? `${percent(pruned.retained_unpermuted, 2)} as they lie, ${percent(pruned.retained, 2)} permuted`
    : percent(pruned.retained, 2)
  const lines = [
    `${pruned.layers} of ${totals.layers} layers pruned: ${percent(pruned.sparsity)} of their weights are zero, ` +
      `${percent(totals.sparsity)} of all ${grouped(totals.weights)}`,
    `Kept of their Σ|w|: ${kept}; the largest weights anywhere would keep ${percent(pruned.retained_unstructured, 2)}`,
  ]
  if (permuted) {
    const moved = groups.filter(({ left }) => left === undefined).length
    const efficacy = totals.efficacy === null ? '' : `: efficacy ${totals.efficacy.toFixed(1)}`
    lines.push(`${moved} of ${groups.length} groups of channels permuted${efficacy}`)
  }
  return lines
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
  return table(columns, [...own, ...rows], colors)
}

function percent(share: number, digits = 1): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(digits)} %` : '–'
}
