/**
 * Where pruning saves most energy (Yang, Chen, Sze, "Designing energy-efficient convolutional neural networks using energy-aware
 * pruning", CVPR 2017; Sze et al. 2017, section VII-C). Think of an electricity bill by room: the number of lamps says little, so
 * one looks at what each room costs and begins with the dearest. In AlexNet most weights are in the fully connected layers, and
 * most of the energy goes into the convolutions.
 *
 * A layer's energy comes from its best mapping on a hardware under a dataflow (`mapProblem`): by operand, and for the MACs. Of a
 * layer of which the share k of its weights is not zero
 *
 *     E(k) = E_inputs + E_outputs + k · (E_weights + E_MAC)
 *
 * that is: zero weights are neither fetched nor multiplied, inputs and partial sums move as before.
 */
import { hardwareNamed } from '../../models/hardware/index.ts'
import { OptionError } from '../errors.ts'
import { completeProblem } from '../schedule/check.ts'
import type { Dataflow } from '../schedule/dataflow.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { mapProblem } from '../schedule/mapper.ts'
import type { Problem } from '../schedule/problem.ts'
import { magnitudesOf, smallestWithin, sumOfLargest } from './magnitude.ts'
import { extentsOf, type Weights } from './mask.ts'

export interface EnergyLayer {
  readonly name: string
  readonly problem: Partial<Problem>
  /** W [M, C, …taps], all groups. */
  readonly weights: Weights
}

export interface EnergyOptions {
  /** A name or a hardware. Default: eyeriss. */
  readonly hardware?: string | Hardware
  /** Default: rs. */
  readonly dataflow?: string | Dataflow
  /** Share of its weights that a layer would keep, from 0 to 1. */
  readonly kept: number
  /** Mappings looked at for a layer, see `mapProblem`. */
  readonly budget?: number
  readonly seed?: number
  readonly signal?: AbortSignal
  /** After each layer. */
  readonly onProgress?: (done: number, layers: number) => void
}

/** What a layer costs, in the hardware's energy unit. */
export interface LayerEnergy {
  readonly name: string
  /** As its weights are now. */
  readonly energy: number
  /** Less than that when the share `kept` of its weights is left. */
  readonly saved: number
  /** Saved for each weight that becomes zero; 0 where none does. */
  readonly savedPerWeight: number
  readonly weights: number
  /** Weights that are not zero now. */
  readonly nonZero: number
  /** Of inputs and outputs, whatever the weights are. */
  readonly fixed: number
  /** Of weights and MACs, were none of them zero. */
  readonly scaled: number
}

/**
 * Layers in the order of the energy that pruning them saves, most first; of equals, as they came.
 * @throws OptionError for a share that is not from 0 to 1, an unknown hardware or dataflow; ShapeError for weights that are none;
 * MappingError where no mapping of a layer fits
 */
export function energyOrder(layers: readonly EnergyLayer[], options: EnergyOptions): LayerEnergy[] {
  const { hardware: named = 'eyeriss', dataflow = 'rs', kept, onProgress, ...search } = options
  checkPart('The share of weights kept', kept)
  const hardware = typeof named === 'string' ? hardwareNamed(named) : named
  const known = new Map<string, Pick<LayerEnergy, 'fixed' | 'scaled'>>()
  const energies = layers.map((layer, index) => {
    const problem = completeProblem(layer.problem)
    const key = JSON.stringify(problem)
    let energy = known.get(key)
    if (energy === undefined) {
      const { mac, per_operand: operands } = mapProblem(problem, { hardware, dataflow, ...search }).evaluation.energy
      known.set(key, (energy = { fixed: operands.inputs + operands.outputs, scaled: operands.weights + mac }))
    }
    onProgress?.(index + 1, layers.length)
    return energyOf(layer, energy, kept)
  })
  return energies.sort((a, b) => b.saved - a.saved)
}

function energyOf({ name, weights }: EnergyLayer, energy: Pick<LayerEnergy, 'fixed' | 'scaled'>, kept: number): LayerEnergy {
  extentsOf(weights)
  const count = weights.values.length
  let nonZero = 0
  for (let at = 0; at < count; at++) if (weights.values[at] !== 0) nonZero++
  const left = Math.min(nonZero, Math.round(kept * count))
  const saved = energyOfKept(energy, share(nonZero, count)) - energyOfKept(energy, share(left, count))
  return {
    name,
    energy: energyOfKept(energy, share(nonZero, count)),
    saved,
    savedPerWeight: share(saved, nonZero - left),
    weights: count,
    nonZero,
    ...energy,
  }
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

/** E(k) of a layer, see the head of the file: what it costs with the share `kept` of its weights not zero. */
export function energyOfKept({ fixed, scaled }: Pick<LayerEnergy, 'fixed' | 'scaled'>, kept: number): number {
  return fixed + kept * scaled
}

export interface SpreadOptions {
  /** Part of all layers' weights that becomes zero, from 0 to 1. */
  readonly sparsity: number
  /** Part of its Σ|w| that a layer may lose at most. Default: 0.5. */
  readonly lost?: number
}

export interface LayerSparsity {
  readonly name: string
  readonly weights: number
  /** Of its weights, those that are zero afterwards; zeros / weights, as `unstructured:` patterns take it. */
  readonly zeros: number
  readonly sparsity: number
  /** Part of its Σ|w| that goes. */
  readonly lost: number
  /** Afterwards, and how much less than before. */
  readonly energy: number
  readonly saved: number
}

/**
 * An overall sparsity spread over layers: the first of the order is pruned as far as its bound lets it, then the next, until as
 * many weights are zero as asked for, those that are zero already included. Weights go by magnitude, one by one.
 * @param order of `energyOrder`: all of the layers or some; the others are left alone and do not count
 * @throws OptionError for a part that is not from 0 to 1, a layer that is not there, or a sparsity that the bound does not allow
 */
export function layerSparsities(
  layers: readonly EnergyLayer[],
  order: readonly LayerEnergy[],
  { sparsity, lost = 0.5 }: SpreadOptions,
): LayerSparsity[] {
  checkPart('The overall sparsity', sparsity)
  checkPart('The part of its magnitude that a layer may lose', lost)
  const all = order.reduce((sum, { weights }) => sum + weights, 0)
  const wanted = Math.round(sparsity * all)
  let left = Math.max(0, wanted - order.reduce((sum, { weights, nonZero }) => sum + weights - nonZero, 0))
  const spread = order.map((energy): LayerSparsity => {
    const layer = layers.find(({ name }) => name === energy.name)
    if (layer === undefined) {
      throw new OptionError(`There is no layer ${energy.name} to prune`, { remedy: 'Give the layers that the order was made of' })
    }
    const magnitudes = magnitudesOf(layer.weights.values)
    const total = sumOfLargest(magnitudes, magnitudes.length)
    const count = magnitudes.length
    const before = count - energy.nonZero
    const more = Math.max(0, Math.min(left, smallestWithin(magnitudes, lost * total).count - before))
    const zeros = before + more
    left -= more
    const after = energyOfKept(energy, share(count - zeros, count))
    return {
      name: energy.name,
      weights: count,
      zeros,
      sparsity: share(zeros, count),
      lost: total === 0 ? 0 : 1 - sumOfLargest(magnitudes, count - zeros) / total,
      energy: after,
      saved: energy.energy - after,
    }
  })
  if (left > 0) {
    throw new OptionError(`A sparsity of ${sparsity} takes more than ${lost} of the magnitude of some layer`, {
      limit: `${((wanted - left) / all).toFixed(4)} with this bound`,
      remedy: 'Ask for less, or let layers lose more',
    })
  }
  return spread
}

function checkPart(what: string, part: number): void {
  if (!(part >= 0 && part <= 1)) throw new OptionError(`${what} is ${part}`, { limit: 'from 0 to 1' })
}
