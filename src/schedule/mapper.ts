/**
 * The mapper: finds a mapping of a problem on a hardware under a dataflow, best by an objective. It walks the candidate space
 * whole where the budget allows, else a fixed pseudo-random part of it; the same seed gives the same mapping.
 */
import { evaluate } from '../cost/evaluate.ts'
import type { Evaluation } from '../cost/evaluation.ts'
import { MappingError, OptionError } from '../errors.ts'
import { candidateSpace } from './candidates.ts'
import { dataflowNamed, type Dataflow } from './dataflow.ts'
import type { Hardware } from './hardware.ts'
import type { Mapping } from './mapping.ts'
import type { Problem } from './problem.ts'

export type Objective = 'energy' | 'edp' | 'latency'

export interface MapOptions {
  readonly hardware: Hardware
  readonly dataflow: string | Dataflow
  readonly objective?: Objective
  /** Chooses which part of a large space is seen. */
  readonly seed?: number
  /** Mappings evaluated at most. */
  readonly budget?: number
  readonly signal?: AbortSignal
}

export interface Searched {
  /** Legal mappings that were evaluated. */
  readonly seen: number
  /** Size of the candidate space, combinations that fit nowhere included. */
  readonly total: number
  /** The whole space was walked. */
  readonly exhaustive: boolean
}

export interface MapResult {
  readonly mapping: Mapping
  readonly evaluation: Evaluation
  readonly searched: Searched
}

/**
 * The best mapping found. When `signal` fires, the best so far.
 * @throws MappingError when no candidate is legal, OptionError for an unknown dataflow or objective.
 */
export function mapProblem(problem: Problem, options: MapOptions): MapResult {
  const objective = options.objective ?? 'energy'
  const score = (mapping: Mapping): number => objectiveOf(evaluate(problem, options.hardware, mapping), objective)
  const { mapping, searched } = searchMappings(problem, options, score)
  return { mapping, evaluation: evaluate(problem, options.hardware, mapping), searched }
}

function objectiveOf({ energy, cycles }: Evaluation, objective: Objective): number {
  switch (objective) {
    case 'energy':
      return energy.total
    case 'edp':
      return energy.total * cycles
    case 'latency':
      return cycles
    default:
      throw new OptionError(`There is no objective called "${String(objective)}"`, { remedy: 'Choose energy, edp or latency' })
  }
}

/**
 * The candidate of least `score`. A score of Infinity, or a MappingError from it, marks a candidate as not legal.
 * Ties go to the first in the space's order.
 */
export function searchMappings(
  problem: Problem,
  { hardware, dataflow, seed = 1, budget = 600, signal }: MapOptions,
  score: (mapping: Mapping) => number,
): { mapping: Mapping; searched: Searched } {
  const flow = typeof dataflow === 'string' ? dataflowNamed(dataflow) : dataflow
  if (!Number.isSafeInteger(budget) || budget < 1)
    throw new OptionError(`A budget of ${budget} mappings`, { remedy: 'Look at one at least' })
  if (!Number.isSafeInteger(seed)) throw new OptionError(`The seed ${seed} is no integer`)
  if (hardware.levels.length !== 3) {
    throw new MappingError(`The mapper takes hardware of three levels, and ${hardware.name} has ${hardware.levels.length}`, {
      remedy: 'Give DRAM, a buffer and registers, or evaluate a mapping made by hand',
    })
  }
  const space = candidateSpace(problem, hardware, flow)
  const step = coprimeStep(space.total, seed)
  let best: Mapping | undefined
  let bestScore = Infinity
  let seen = 0
  let walked = 0
  for (let index = 0; walked < space.total && seen < budget; walked++, index = (index + step) % space.total) {
    if (signal?.aborted === true && best !== undefined) break
    const mapping = space.mapping(index)
    if (mapping === undefined) continue
    const value = scoreOrInfinity(mapping, score)
    if (value === Infinity) continue
    seen++
    if (value < bestScore) {
      best = mapping
      bestScore = value
    }
  }
  if (best === undefined) {
    throw new MappingError(`No mapping of the problem under ${flow.name} fits ${hardware.name}`, {
      dataflow: flow.name,
      candidates: space.total,
      remedy: 'Give the hardware a larger buffer or register file, or choose another dataflow',
    })
  }
  return { mapping: best, searched: { seen, total: space.total, exhaustive: walked >= space.total } }
}

function scoreOrInfinity(mapping: Mapping, score: (mapping: Mapping) => number): number {
  try {
    return score(mapping)
  } catch (error) {
    if (error instanceof MappingError) return Infinity
    throw error
  }
}

/** A step that visits every index once, near the golden ratio of the space so that a part of it is spread evenly. */
function coprimeStep(total: number, seed: number): number {
  if (total <= 2) return 1
  let step = Math.max(1, (Math.floor(total * 0.6180339887) + 2 * Math.abs(seed)) % total)
  while (gcd(step, total) !== 1) step++
  return step % total === 0 ? 1 : step % total
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
