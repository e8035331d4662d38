/**
 * Where pruning saves most energy (Yang, Chen, Sze, "Designing energy-efficient convolutional neural networks using energy-aware
 * pruning", CVPR 2017; Sze et al. 2017, section VII-C). Think of an electricity bill by room: the number of lamps says little, so
 * one looks at what each room costs and begins with the dearest. In AlexNet most weights are in the fully connected layers, and
 * most of the energy goes into the convolutions.
 *
 *     layers ─▶ a mapping each ─▶ E(density) ─┬─▶ order: most saved by a pattern first
 *                                             └─▶ spread: the zeros of a uniform sparsity, moved to where each saves most
 *
 * E is the cost model's (`sparseEnergy`) under the layer's best mapping, with the rules about zeros that the hardware has; one that
 * describes none passes over zeros (`zeroRules`, skip). What a machine cannot make use of saves nothing: zeros beyond 2:4 where
 * weights are stored as 2:4, any zeros of weights where only inputs are looked at. Zeros of `filter`, `channel` and `block` are
 * taken as if they lay at random, the least that they save.
 */
import { hardwareNamed } from '../../models/hardware/index.ts'
import { sparseEnergy } from '../cost/evaluate.ts'
import type { Density } from '../cost/density.ts'
import { withPlainWeights, zeroRules } from '../cost/zero-rules.ts'
import { MappingError, OptionError } from '../errors.ts'
import { completeProblem } from '../schedule/check.ts'
import { DATAFLOW_NAMES } from '../schedule/dataflow.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { mapProblem } from '../schedule/mapper.ts'
import type { Problem } from '../schedule/problem.ts'
import { magnitudesOf, smallestWithin, sumOfLargest } from './magnitude.ts'
import { maskReport, pruneMask, type Weights } from './mask.ts'
import type { PrunePattern } from './pattern.ts'

export interface EnergyLayer {
  readonly name: string
  /** Of everything that runs on these weights. */
  readonly problems: readonly Partial<Problem>[]
  /** W [M, C, …taps], all groups. */
  readonly weights: Weights
}

export interface PriceOptions {
  /** A name or a hardware. Default: eyeriss. */
  readonly hardware?: string | Hardware
  /** Default: the hardware's own, where the literature has it; else none. */
  readonly dataflow?: string
  /** Mappings looked at for a layer. Default 3000. */
  readonly budget?: number
  readonly seed?: number
  readonly signal?: AbortSignal
  /** Before each layer. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly text: string }) => void
}

export interface Price {
  /** In the hardware's unit. */
  readonly energy: number
  /** Why weights are not stored as the hardware could, but with every zero; absent where it is not so. */
  readonly reason?: string
}

export interface PricedLayer extends EnergyLayer {
  /** What it costs with weights of this density. */
  readonly price: (density: Density) => Price
}

/** What zeros are worth on a hardware. */
export interface ZeroPrices {
  readonly hardware: string
  /** null: no constraint. */
  readonly dataflow: string | null
  /** What the hardware does about zeros: its `own` description, or, where it has none, `skip` of `zeroRules`. */
  readonly rules: 'own' | 'skip'
  readonly unit?: string
  readonly layers: readonly PricedLayer[]
}

/**
 * Maps layers on a hardware, each once, for least energy without zeros.
 * @throws OptionError for an unknown hardware or dataflow; MappingError naming a layer of which no mapping fits; the signal's reason
 */
export async function priceLayers(layers: readonly EnergyLayer[], options: PriceOptions = {}): Promise<ZeroPrices> {
  const { hardware: named = 'eyeriss', budget = 3000, seed = 1, signal, onProgress } = options
  const hardware = typeof named === 'string' ? hardwareNamed(named) : named
  const dataflow = options.dataflow ?? DATAFLOW_NAMES.find((name) => name === hardware.dataflow)
  const ruled = { ...hardware, sparsity: hardware.sparsity ?? zeroRules(hardware, 'skip') }
  const known = new Map<string, PricedLayer['price']>()
  const priced: PricedLayer[] = []
  for (const [index, layer] of layers.entries()) {
    // Others get a turn between layers: Ctrl-C, a page.
    await new Promise((resolve) => setTimeout(resolve))
    signal?.throwIfAborted()
    onProgress?.({ done: index, total: layers.length, text: `pricing ${layer.name} on ${hardware.name}` })
    const prices = layer.problems.map((given) => {
      const problem = completeProblem(given)
      const key = JSON.stringify(problem)
      const price = known.get(key) ?? located(layer.name, () => priceOf(problem, ruled, { dataflow, budget, seed }))
      known.set(key, price)
      return price
    })
    priced.push({ ...layer, price: (density) => sumOf(prices.map((price) => price(density))) })
  }
  return {
    hardware: hardware.name,
    dataflow: dataflow ?? null,
    rules: hardware.sparsity === undefined ? 'skip' : 'own',
    ...(hardware.energy_unit === undefined ? {} : { unit: hardware.energy_unit }),
    layers: priced,
  }
}

function priceOf(
  problem: Problem,
  hardware: Hardware,
  search: { readonly dataflow: string | undefined; readonly budget: number; readonly seed: number },
): PricedLayer['price'] {
  const { mapping } = mapProblem(problem, { hardware, ...search, objective: 'energy' })
  const rules = hardware.sparsity ?? {}
  const grouped = Object.entries(rules.levels ?? {}).find(([, { weights }]) => weights?.format === '2:4')
  const plain = { ...hardware, sparsity: withPlainWeights(rules) }
  return (weights) => {
    // That half of the weights are zero is not enough: these zeros may be anywhere.
    const isPlain = grouped !== undefined && typeof weights === 'number'
    const { energy } = sparseEnergy(problem, isPlain ? plain : hardware, mapping, { weights })
    if (!isPlain) return { energy: energy.total }
    return {
      energy: energy.total,
      reason: `${hardware.name} stores weights as 2:4 (${grouped[0]}), and these zeros may be anywhere`,
    }
  }
}

/** Names the layer in what `work` throws. */
function located<T>(name: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof MappingError) throw new MappingError(cause.summary, { node: name, ...cause.details }, { cause })
    if (cause instanceof OptionError) throw new OptionError(cause.summary, { node: name, ...cause.details }, { cause })
    throw cause
  }
}

function sumOf(prices: readonly Price[]): Price {
  const reason = prices.find((price) => price.reason !== undefined)?.reason
  return { energy: prices.reduce((sum, { energy }) => sum + energy, 0), ...(reason === undefined ? {} : { reason }) }
}

/** What pruning makes of a layer; energies in the hardware's unit. */
export interface LayerEnergy {
  readonly name: string
  readonly weights: number
  /** Of its weights, those that are zero before and afterwards. */
  readonly zeros_before: number
  readonly zeros: number
  /** zeros / weights, as `unstructured:` patterns take it. */
  readonly sparsity: number
  /** Σ|w| before, and the part of it that is kept. */
  readonly magnitude: number
  readonly retained: number
  readonly energy_before: number
  readonly energy: number
  /** energy_before − energy */
  readonly saved: number
  /** Saved for each weight that becomes zero; 0 where none does. */
  readonly saved_per_zero: number
  /** Why the pruned weights are not stored as the hardware could, but with every zero. */
  readonly reason?: string
}

/**
 * Layers in the order of the energy that a pattern saves, most first; of equals, as they came. Each is pruned by itself, so that
 * of `unstructured` this is the uniform spread.
 * @throws OptionError for a pattern that is none, weights that are no numbers; ShapeError for weights that are none
 */
export function energyOrder(layers: readonly PricedLayer[], pattern: PrunePattern): LayerEnergy[] {
  const pruned = (layer: PricedLayer): LayerEnergy => {
    const { weights, nonZero, magnitude, retained } = maskReport(layer.weights, pruneMask(layer.weights, pattern))
    const cut = { zeros_before: zerosOf(layer.weights), zeros: weights - nonZero, magnitude, retained }
    return energyOf(layer, cut, pattern.kind === '2:4' ? { kept: 2, of: 4 } : share(nonZero, weights))
  }
  return layers.map((layer) => located(layer.name, () => pruned(layer))).sort((a, b) => b.saved - a.saved)
}

function zerosOf({ values }: Weights): number {
  let zeros = 0
  for (let at = 0; at < values.length; at++) if (values[at] === 0) zeros++
  return zeros
}

function energyOf(
  { name, weights: { values }, price }: PricedLayer,
  cut: Pick<LayerEnergy, 'zeros_before' | 'zeros' | 'magnitude' | 'retained'>,
  density: Density,
): LayerEnergy {
  const weights = values.length
  const after = price(density)
  // Weights that hold the pattern already cost now what they will; sparser ones cost no more for being cut.
  const before = cut.zeros === cut.zeros_before ? after.energy : price(share(weights - cut.zeros_before, weights)).energy
  const energy = Math.min(before, after.energy)
  return {
    ...{ name, weights, ...cut, sparsity: share(cut.zeros, weights), energy_before: before, energy, saved: before - energy },
    saved_per_zero: share(before - energy, cut.zeros - cut.zeros_before),
    ...(after.reason === undefined ? {} : { reason: after.reason }),
  }
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

export interface Spread {
  /** Part of its Σ|w| that a layer may lose at most. */
  readonly bound: number
  /** In the order in which layers were pruned. */
  readonly layers: readonly LayerEnergy[]
}

/** Layers in which a zero saves as much but for this part count as alike. */
const ALIKE = 0.01

/**
 * The zeros of a uniform sparsity, spread anew: the layer in which a zero saves most is pruned as far as its bound lets it, then the
 * next, until there are as many zeros as before; layers that are alike are pruned together, each by the same part of what it may
 * lose. Weights go by magnitude, one by one. Where a layer's energy is linear in its zeros (it is without formats), no other spread
 * within the bounds saves more, but for what layers that are alike differ by.
 * @param uniform of `energyOrder` by an unstructured pattern: all of the layers or some; the others are left alone
 * @param most part of its Σ|w| that a layer may lose, from 0 to 1. Default: half as much again as the uniform spread takes of any,
 * or half of what that leaves beside it, whichever is less, so that the uniform spread is always among those that the bound allows
 * @throws OptionError for a bound that is not from 0 to 1 or does not allow so many zeros, or a layer that is not there
 */
export function spreadByEnergy(layers: readonly PricedLayer[], uniform: readonly LayerEnergy[], most?: number): Spread {
  const worst = uniform.reduce((least, { retained }) => Math.max(least, 1 - retained), 0)
  const bound = most ?? worst + Math.min(worst, 1 - worst) / 2
  if (!(bound >= 0 && bound <= 1)) {
    throw new OptionError(`A layer may lose ${bound} of its magnitude`, { limit: 'a part from 0 to 1' })
  }
  const ranked = uniform.map((row) => {
    const layer = layers.find(({ name }) => name === row.name)
    if (layer === undefined) {
      throw new OptionError(`There is no layer ${row.name} to prune`, { remedy: 'Give the layers that the order was made of' })
    }
    return { layer, row, worth: worthOf(layer, row), room: roomOf(layer, row, bound) }
  })
  ranked.sort((a, b) => b.worth - a.worth)
  let left = uniform.reduce((sum, { zeros, zeros_before: before }) => sum + zeros - before, 0)
  const spread: LayerEnergy[] = []
  while (spread.length < ranked.length) {
    const rest = ranked.slice(spread.length)
    const alike = rest.filter(({ worth }) => worth >= (1 - ALIKE) * (rest[0]?.worth ?? 0))
    const room = alike.reduce((sum, each) => sum + each.room, 0)
    const part = Math.min(left, room)
    let seen = 0
    let done = 0
    for (const each of alike) {
      seen += each.room
      const upTo = Math.round(part * share(seen, room))
      spread.push(cutBy(each.layer, each.row, upTo - done))
      done = upTo
    }
    left -= part
  }
  if (left > 0) {
    const { zeros, weights } = energyTotals(uniform)
    throw new OptionError(`${zeros} zeros of ${weights} weights take more than ${bound} of the magnitude of some layer`, {
      limit: `a sparsity of ${((zeros - left) / weights).toFixed(4)} with this bound`,
      remedy: 'Ask for less sparsity, or let layers lose more',
    })
  }
  return { bound, layers: spread }
}

/** Weights that may become zero yet. */
function roomOf(
  { weights: { values } }: PricedLayer,
  { weights, zeros_before: before, magnitude }: LayerEnergy,
  bound: number,
): number {
  const within = bound === 1 ? weights : smallestWithin(magnitudesOf(values), bound * magnitude).count
  return Math.max(0, within - before)
}

/** The layer with so many zeros more. */
function cutBy(layer: PricedLayer, { weights, zeros_before: before, magnitude }: LayerEnergy, more: number): LayerEnergy {
  const zeros = before + more
  const kept = weights - zeros
  const retained = more === 0 || magnitude === 0 ? 1 : sumOfLargest(magnitudesOf(layer.weights.values), kept) / magnitude
  return energyOf(layer, { zeros_before: before, zeros, magnitude, retained }, share(kept, weights))
}

/** Energy that a zero more saves: as the uniform spread has it, or, of a layer that was sparser before, all the way to no weights. */
function worthOf({ price }: PricedLayer, row: LayerEnergy): number {
  const { weights, zeros_before: before, zeros, energy_before: energy, saved_per_zero: saved } = row
  return zeros > before ? saved : share(energy - price(0).energy, weights - before)
}

/** Of several layers. */
export type EnergyTotals = Omit<LayerEnergy, 'name' | 'reason'>

export function energyTotals(layers: readonly LayerEnergy[]): EnergyTotals {
  const sum = (of: (layer: LayerEnergy) => number): number => layers.reduce((total, layer) => total + of(layer), 0)
  const [weights, before, zeros] = [sum((layer) => layer.weights), sum((layer) => layer.zeros_before), sum((layer) => layer.zeros)]
  const [dense, energy] = [sum((layer) => layer.energy_before), sum((layer) => layer.energy)]
  const magnitude = sum((layer) => layer.magnitude)
  const kept = sum((layer) => layer.retained * layer.magnitude)
  return {
    ...{ weights, zeros_before: before, zeros, sparsity: share(zeros, weights) },
    ...{ magnitude, retained: magnitude === 0 ? 1 : kept / magnitude },
    ...{ energy_before: dense, energy, saved: dense - energy, saved_per_zero: share(dense - energy, zeros - before) },
  }
}
