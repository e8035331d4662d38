/**
 * Pruning a network where that saves most energy: from its graph to the layers that src/sparsity/energy-aware.ts prices, and from what that
 * says back to the names and patterns that `pruneGraph` takes.
 *
 *     graph ─▶ layers: problems, weights ─▶ prices ─┬─▶ order, its first `most` ─▶ priority, layers ─┬─▶ pruneGraph
 *                                                   └─▶ unstructured: spread ───▶ patterns ──────────┘
 */
import { OptionError } from '../errors.ts'
import {
  energyOrder,
  energyTotals,
  priceLayers,
  spreadByEnergy,
  type EnergyLayer,
  type EnergyTotals,
  type LayerEnergy,
  type PriceOptions,
  type ZeroPrices,
} from '../sparsity/energy-aware.ts'
import { patternName, type PrunePattern } from '../sparsity/pattern.ts'
import { trialTypes } from './channel-groups.ts'
import { ConstantSources } from './constant-source.ts'
import type { Graph } from './graph.ts'
import { chosenByName, patternOf, type PruneOptions } from './prune.ts'
import { layerWeights, prunableLayers } from './prune-layers.ts'

export interface EnergyOptions extends PriceOptions, Pick<PruneOptions, 'pattern' | 'layers' | 'skip' | 'most' | 'sizes'> {
  /** Of an unstructured pattern: part of its Σ|w| that a layer may lose at most, see `spreadByEnergy`. */
  readonly lost?: number
}

/** What is to be pruned, and what that saves; energies in the hardware's unit. */
export interface EnergyPlan extends Omit<ZeroPrices, 'layers'> {
  /** In the order in which they are pruned. */
  readonly layers: readonly LayerEnergy[]
  readonly totals: EnergyTotals
  /** Of an unstructured pattern: the same number of zeros, each layer as sparse as the others; null for other patterns. */
  readonly uniform: { readonly layers: readonly LayerEnergy[]; readonly totals: EnergyTotals } | null
  /** Part of its Σ|w| that a layer may lose, where sparsity is spread. */
  readonly bound: number | null
}

/**
 * The layers of a network that can be pruned, with the loop nests that run on their weights.
 * @throws as `pruneGraph`
 */
export function energyLayers(graph: Graph, options: EnergyOptions = {}): EnergyLayer[] {
  // Problems are of one input at a time, where the network takes that.
  const typed = trialTypes(graph, options.sizes, [1, 224])
  const listed = prunableLayers(typed, new ConstantSources(graph, typed), patternOf(options))
  const nodes = new Map(typed.nodes.map((each) => [each.node.name, each]))
  return chosenByName(listed, options).layers.map((layer) => ({
    name: layer.name,
    problems: layer.nodes.flatMap((name) => {
      const each = nodes.get(name)
      const problem = each?.definition.problem?.(each.context)
      return problem === undefined ? [] : [problem]
    }),
    weights: { values: layerWeights(graph.constants, layer), shape: layer.shape },
  }))
}

/**
 * What to prune first, and with an unstructured pattern how far: the layers that save most, the first `most` of them, and the zeros of the
 * pattern spread over those by the energy that each saves.
 * @throws as `pruneGraph`, `priceLayers` and `spreadByEnergy`; OptionError where zeros save nothing on the hardware, or for a bound that
 * the pattern has no use for
 */
export async function planByEnergy(graph: Graph, options: EnergyOptions = {}): Promise<EnergyPlan> {
  const pattern = patternOf(options)
  const { most, lost } = options
  if (lost !== undefined && pattern.kind !== 'unstructured') {
    throw new OptionError(`How much a layer may lose bounds unstructured sparsity, not ${patternName(pattern)}`, {
      remedy: 'Leave it out, or prune unstructured:PART',
    })
  }
  const { layers, ...prices } = await priceLayers(energyLayers(graph, options), options)
  const order = energyOrder(layers, pattern)
  if (order.some(({ zeros, zeros_before: before }) => zeros > before) && order.every(({ saved }) => saved === 0)) {
    const why = order.find(({ reason }) => reason !== undefined)?.reason ?? 'it takes zero weights as any others'
    throw new OptionError(`${patternName(pattern)} saves no energy on ${prices.hardware}: ${why}`, {
      remedy: 'Choose a hardware that makes use of such zeros, or leave layers in their order',
    })
  }
  const first = order.slice(0, most ?? order.length)
  if (pattern.kind !== 'unstructured') {
    return { ...prices, layers: first, totals: energyTotals(first), uniform: null, bound: null }
  }
  const spread = spreadByEnergy(layers, first, lost)
  return {
    ...{ ...prices, layers: spread.layers, totals: energyTotals(spread.layers), bound: spread.bound },
    uniform: { layers: first, totals: energyTotals(first) },
  }
}

/** What `pruneGraph` makes of a plan: which layers, in which order, each by which pattern. */
export function pruneByPlan({ layers, bound }: EnergyPlan): Pick<PruneOptions, 'priority' | 'most' | 'patterns'> {
  const patterns = layers.map(({ name, sparsity }): [string, PrunePattern] => [name, { kind: 'unstructured', sparsity }])
  return {
    priority: new Map(layers.map(({ name }, index) => [name, layers.length - index])),
    ...(layers.length === 0 ? {} : { most: layers.length }),
    ...(bound === null ? {} : { patterns: new Map(patterns) }),
  }
}
