/**
 * Where pruning saves most energy. Layers differ more in energy than in weights: a convolution reuses each weight over a feature map, a
 * fully connected layer hardly does (Sze et al. 2017, section VII-B; Yang et al., CVPR 2017, prune the layer that takes most energy first).
 *
 * Each layer is mapped by the mapper, under one dataflow, and priced by the cost model. With a part s of its weights zero, and zeros neither
 * fetched nor multiplied, it saves at most s · (energy of the MACs + energy of moving weights); that figure is the priority.
 */
import type { Hardware } from '../schedule/hardware.ts'
import { mapProblem } from '../schedule/mapper.ts'
import type { Problem } from '../schedule/problem.ts'
import { trialTypes } from './channel-groups.ts'
import type { Graph } from './graph.ts'

export interface LayerEnergy {
  /** Of the whole layer, in the hardware's unit. */
  readonly total: number
  /** Of its MACs and of moving its weights: what zeros in the weights can save a part of. */
  readonly weights: number
}

export interface EnergyOptions {
  readonly hardware: Hardware
  /** Default: row stationary. */
  readonly dataflow?: string
  /** Of the mapper. */
  readonly seed?: number
  /** Mappings tried for each layer. Default 3000. */
  readonly budget?: number
  /** Sizes of symbolic dimensions; others are 1 where that is a size the network takes. */
  readonly sizes?: Readonly<Record<string, number>>
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly text: string }) => void
}

/**
 * The energy of each convolution and product of a network, by the node's name. Equal layers are mapped once.
 * @throws as the mapper: OptionError, MappingError; as `trialTypes`; the signal's reason
 */
export async function layerEnergies(graph: Graph, options: EnergyOptions): Promise<Map<string, LayerEnergy>> {
  const { hardware, dataflow = 'rs', seed = 1, budget = 3000, sizes, signal, onProgress } = options
  const problems = trialTypes(graph, sizes, [1, 224]).nodes.flatMap(({ node, definition, context }): [string, Problem][] => {
    const problem = definition.problem?.(context)
    return problem === undefined ? [] : [[node.name, problem]]
  })
  const known = new Map<string, LayerEnergy>()
  const energies = new Map<string, LayerEnergy>()
  for (const [index, [name, problem]] of problems.entries()) {
    // Others get a turn between layers: Ctrl-C, a page.
    await new Promise((resolve) => setTimeout(resolve))
    signal?.throwIfAborted()
    onProgress?.({ done: index, total: problems.length, text: `pricing ${name} on ${hardware.name}` })
    const key = JSON.stringify(problem)
    const energy =
      known.get(key) ?? priced(problem, { hardware, dataflow, seed, budget, ...(signal === undefined ? {} : { signal }) })
    known.set(key, energy)
    energies.set(name, energy)
  }
  return energies
}

function priced(problem: Problem, options: Parameters<typeof mapProblem>[1]): LayerEnergy {
  const { energy } = mapProblem(problem, { ...options, objective: 'energy' }).evaluation
  return { total: energy.total, weights: energy.mac + energy.per_operand.weights }
}

/** The order for `pruneGraph`: by what a layer's weights cost, the most first. */
export function energyPriority(energies: ReadonlyMap<string, LayerEnergy>): Map<string, number> {
  return new Map([...energies].map(([name, { weights }]) => [name, weights]))
}
