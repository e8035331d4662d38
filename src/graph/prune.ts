/**
 * Pruning a network by magnitude, with nothing trained after it: first, if asked for, channels are permuted so that 2:4 loses less
 * (channel-groups.ts), then every layer gets the mask of the pattern. What is left dense is listed with the reason.
 *
 *     graph ─▶ groups of channels ─▶ search an order ─▶ keep it if masks retain more ─▶ masks ─▶ graph, report
 */
import { OptionError } from '../errors.ts'
import { magnitudesOf, sumOfLargest } from '../sparsity/magnitude.ts'
import { maskReport, pruneMask, type MaskReport } from '../sparsity/mask.ts'
import { parsePattern, patternName, type PrunePattern } from '../sparsity/pattern.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import { channelGroups } from './channel-groups.ts'
import type { Graph } from './graph.ts'
import { applyMask, layerWeights, prunableLayers, type DenseLayer, type LayerList, type PrunableLayer } from './prune-layers.ts'
import { permuteChannels, type PermutedGroup } from './prune-permute.ts'

export interface PruneProgress {
  readonly done: number
  readonly total: number
  readonly text: string
}

export interface PruneOptions {
  /** As `parsePattern` reads it, or the pattern itself. Default 2:4. */
  readonly pattern?: string | PrunePattern
  /** Permutes channels before 2:4, so that more is retained. The dense network computes the same. Default false. */
  readonly permute?: boolean
  /** Of the search for permutations. Default 1. */
  readonly seed?: number
  /** Evaluations of the search for each group of channels; default: its own. */
  readonly budget?: number
  /**
   * Only these layers: names of nodes, `*` standing for any text. Unless named, `channel` leaves those that read the network's own input
   * channels, and `filter` those that make its results.
   */
  readonly layers?: readonly string[]
  /** Not these. */
  readonly skip?: readonly string[]
  /** Layers in the order in which they are pruned, where that is not the network's: a higher figure first (see `pruneByPlan`). */
  readonly priority?: ReadonlyMap<string, number>
  /** What is not by `pattern`: the pattern of a layer, by its name. */
  readonly patterns?: ReadonlyMap<string, PrunePattern>
  /** Prunes the first so many in that order, and leaves the rest dense. */
  readonly most?: number
  /** Sizes of symbolic dimensions. */
  readonly sizes?: Readonly<Record<string, number>>
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: PruneProgress) => void
}

export interface PrunedLayer {
  readonly name: string
  /** All that have the same weights. */
  readonly nodes: readonly string[]
  readonly op: string
  /** [M, C, …taps] */
  readonly shape: readonly number[]
  readonly weights: number
  readonly non_zero: number
  /** Part that is zero. */
  readonly sparsity: number
  /** Σ|w| before. */
  readonly magnitude: number
  /** Part of it that is kept. */
  readonly retained: number
  /** Part that is kept without a permutation; the same where none was asked for. */
  readonly retained_unpermuted: number
  /** Part that the largest weights would keep, as many of them wherever they lie. */
  readonly retained_unstructured: number
}

export interface PruneTotals {
  /** Of all layers, pruned or not. */
  readonly layers: number
  readonly weights: number
  readonly non_zero: number
  readonly sparsity: number
  /** Of the pruned layers alone. */
  readonly pruned: Omit<PrunedLayer, 'name' | 'nodes' | 'op' | 'shape'> & { readonly layers: number }
  /** (kept − kept unpermuted) / (unstructured − kept unpermuted) · 100 over the pruned layers; null without a permutation. */
  readonly efficacy: number | null
}

export interface PruneReport {
  readonly pattern: string
  readonly permuted: boolean
  readonly seed: number
  /** In the order in which they were pruned. */
  readonly layers: readonly PrunedLayer[]
  readonly dense: readonly DenseLayer[]
  readonly groups: readonly PermutedGroup[]
  readonly totals: PruneTotals
}

export interface Pruned {
  /** The network with the pruned weights; nothing else of it is changed. */
  readonly graph: Graph
  /** The network with its channels permuted and nothing pruned: it computes what the one before does. */
  readonly dense: Graph
  /** Constants that differ from the network's before, by name. */
  readonly changed: ReadonlyMap<string, HostTensor>
  readonly report: PruneReport
}

/**
 * Prunes the convolutions and matrix products of a network whose weights are constant. The graph that is given stays as it is.
 * @throws OptionError for a pattern that is none, names that no layer has, nothing to prune, a permutation for another pattern than 2:4,
 * weights that are no numbers; UnsupportedOpError for a quantised network; ShapeError where shapes do not fit; the signal's reason
 */
export async function pruneGraph(graph: Graph, options: PruneOptions = {}): Promise<Pruned> {
  const { permute = false, seed = 1, sizes, signal, onProgress } = options
  const pattern = patternOf(options)
  if (permute && pattern.kind !== '2:4') {
    throw new OptionError(`Permuting channels is of use for 2:4, not for ${patternName(pattern)}`, { remedy: 'Leave it out' })
  }
  const channels = channelGroups(graph, sizes)
  const listed = prunableLayers(channels.typed, channels.sources, pattern)
  const { layers, dense } = chosen(listed, options)
  if (layers.length === 0) throw nothingToPrune(graph, dense)
  const constants = new Map(graph.constants)
  const patternFor = ({ name }: PrunableLayer): PrunePattern => options.patterns?.get(name) ?? pattern
  // As they lie, before the search: without a permutation the masks below are of the same weights.
  const plain = new Map(
    (permute ? layers : []).map((layer) => [layer, located(layer, () => masked(graph.constants, layer, patternFor(layer)).kept)]),
  )
  const groups = permute ? await permuteChannels(constants, channels, layers, { ...options, pattern, seed }) : []
  const permuted = new Map(constants)
  const done: PrunedLayer[] = []
  for (const [index, layer] of layers.entries()) {
    signal?.throwIfAborted()
    onProgress?.({ done: index, total: layers.length, text: `pruning ${layer.name}` })
    const before = plain.get(layer)
    const { weights, mask, kept } = located(layer, () => masked(constants, layer, patternFor(layer)))
    applyMask(constants, layer, mask)
    const best = sumOfLargest(magnitudesOf(weights), kept.kept)
    done.push({
      ...{ name: layer.name, nodes: layer.nodes, op: layer.op, shape: layer.shape, weights: kept.weights, non_zero: kept.nonZero },
      ...{ sparsity: kept.sparsity, magnitude: kept.magnitude, retained: kept.retained },
      retained_unpermuted: before?.retained ?? kept.retained,
      retained_unstructured: kept.magnitude === 0 ? 1 : best / kept.magnitude,
    })
  }
  const changed = new Map([...constants].filter(([name, tensor]) => graph.constants.get(name) !== tensor))
  const report = {
    ...{ pattern: patternName(pattern), permuted: permute, seed, layers: done, dense, groups },
    totals: totalsOf(done, dense, permute),
  }
  return { graph: { ...graph, constants }, dense: { ...graph, constants: permuted }, changed, report }
}

/** The pattern that options name. Default 2:4. @throws OptionError for a text that is none */
export function patternOf({ pattern = '2:4' }: Pick<PruneOptions, 'pattern'>): PrunePattern {
  return typeof pattern === 'string' ? parsePattern(pattern) : pattern
}

/** A layer's weights, what stays of them, and how much that is. */
function masked(
  constants: ReadonlyMap<string, HostTensor>,
  layer: PrunableLayer,
  pattern: PrunePattern,
): { weights: Float32Array; mask: Uint8Array; kept: MaskReport } {
  const weights = layerWeights(constants, layer)
  const mask = pruneMask({ values: weights, shape: layer.shape }, pattern)
  return { weights, mask, kept: maskReport({ values: weights }, mask) }
}

/** Names the layer in what `work` throws. */
function located<T>(layer: PrunableLayer, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (!(cause instanceof OptionError)) throw cause
    throw new OptionError(cause.summary, { node: layer.name, op: layer.op, ...cause.details }, { cause })
  }
}

/** The layers that options name, in their order; the others join the dense ones. */
function chosen(listed: LayerList, options: PruneOptions): LayerList {
  const { layers, dense } = chosenByName(listed, options)
  const { priority, most = layers.length } = options
  const rank = ({ nodes }: PrunableLayer): number => nodes.reduce((sum, name) => sum + (priority?.get(name) ?? 0), 0)
  const ordered = priority === undefined ? layers : layers.toSorted((a, b) => rank(b) - rank(a))
  const left = ordered.slice(most).map((layer) => leftDense(layer, `after the first ${most} in the order`))
  return { layers: ordered.slice(0, most), dense: [...dense, ...left] }
}

/**
 * The layers that options name, as they come; the others join the dense ones.
 * @throws OptionError for names that no layer has, or a number of layers that is none
 */
export function chosenByName({ layers, dense }: LayerList, options: Pick<PruneOptions, 'layers' | 'skip' | 'most'>): LayerList {
  const { layers: wanted, skip = [], most } = options
  const names = [...layers.flatMap(({ nodes }) => nodes), ...dense.map(({ name }) => name)]
  for (const pattern of [...(wanted ?? []), ...skip]) {
    if (names.some((name) => matches(pattern, name))) continue
    throw new OptionError(`No convolution or product is called ${pattern}`, {
      remedy: `Its layers: ${names.slice(0, 12).join(', ')}`,
    })
  }
  if (most !== undefined && (!Number.isSafeInteger(most) || most < 1)) throw new OptionError(`most: ${most} is no positive integer`)
  const left: DenseLayer[] = []
  const taken = layers.filter((layer) => {
    const any = (patterns: readonly string[]): boolean => layer.nodes.some((name) => patterns.some((text) => matches(text, name)))
    if (any(skip)) left.push(leftDense(layer, 'skipped by name'))
    else if (wanted !== undefined && !any(wanted)) left.push(leftDense(layer, 'not among the layers asked for'))
    else if (wanted === undefined && layer.end !== undefined) left.push(leftDense(layer, layer.end))
    else return true
    return false
  })
  return { layers: taken, dense: [...dense, ...left] }
}

function leftDense({ name, op, shape }: PrunableLayer, reason: string): DenseLayer {
  return { name, op, shape, weights: sizeOf(shape), reason }
}

/** `conv*`: a name, `*` standing for any text. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('.*')}$`, 's').test(name)
}

function nothingToPrune(graph: Graph, dense: readonly DenseLayer[]): OptionError {
  const reasons = dense.map(({ name, op, reason }) => `  ${name} (${op}): ${reason}`)
  const why = reasons.length === 0 ? 'it has no convolution and no matrix product' : `no layer can be:\n${reasons.join('\n')}`
  return new OptionError(`There is nothing to prune in ${graph.name}: ${why}`)
}

function totalsOf(layers: readonly PrunedLayer[], dense: readonly DenseLayer[], permuted: boolean): PruneTotals {
  const sum = (of: (layer: PrunedLayer) => number): number => layers.reduce((total, layer) => total + of(layer), 0)
  const [weights, nonZero, magnitude] = [
    sum((layer) => layer.weights),
    sum((layer) => layer.non_zero),
    sum((layer) => layer.magnitude),
  ]
  const share = (of: (layer: PrunedLayer) => number): number =>
    magnitude === 0 ? 1 : sum((layer) => layer.magnitude * of(layer)) / magnitude
  const retained = share((layer) => layer.retained)
  const unpermuted = share((layer) => layer.retained_unpermuted)
  const unstructured = share((layer) => layer.retained_unstructured)
  const others = dense.reduce((total, layer) => total + layer.weights, 0)
  return {
    layers: layers.length + dense.length,
    weights: weights + others,
    non_zero: nonZero + others,
    sparsity: 1 - (nonZero + others) / (weights + others),
    pruned: {
      ...{ layers: layers.length, weights, non_zero: nonZero, sparsity: weights === 0 ? 0 : 1 - nonZero / weights, magnitude },
      ...{ retained, retained_unpermuted: unpermuted, retained_unstructured: unstructured },
    },
    efficacy: permuted && unstructured > unpermuted ? (100 * (retained - unpermuted)) / (unstructured - unpermuted) : null,
  }
}
