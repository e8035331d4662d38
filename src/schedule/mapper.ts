/**
 * The mapper: finds the best mapping of a problem on a hardware under a dataflow, or under none. A space that the budget covers is
 * walked whole (`search/exhaustive.ts`), a larger one searched (`search/anneal.ts`), the same way for the same seed. What a
 * dataflow allows is read in `search/rules.ts`.
 *
 * The space is that of `search/space.ts`, not every mapping that can be written: tiles are balanced, and neighbours hand on along x
 * alone, inputs where the fan-out multicasts (the rest is read once for all), and where it does not, the operands that the dataflow
 * lists under `forward` (without a constraint: inputs). `exhaustive`, `total` and "no constraint" speak of this space.
 */
import { evaluate, type EvaluateOptions } from '../cost/evaluate.ts'
import type { Evaluation } from '../cost/evaluation.ts'
import { MappingError, OptionError } from '../errors.ts'
import { completeProblem } from './check.ts'
import { decode } from './code.ts'
import { constraintNamed, DATAFLOWS, UNCONSTRAINED, type Dataflow } from './dataflow.ts'
import type { Hardware } from './hardware.ts'
import type { Mapping } from './mapping.ts'
import type { Problem } from './problem.ts'
import { anneal } from './search/anneal.ts'
import { Candidate } from './search/candidate.ts'
import { walkAll } from './search/exhaustive.ts'
import { Judge, type Objective } from './search/judge.ts'
import { Random } from './search/random.ts'
import { Space } from './search/space.ts'

export type { Objective } from './search/judge.ts'

/** Densities change what is told of the mapping found, not the search: its objective is the dense one's. */
export interface MapOptions extends EvaluateOptions {
  readonly hardware: Hardware
  /** A name, a constraint of one's own, or none (absent, `none`, `any`). */
  readonly dataflow?: string | Dataflow | undefined
  /** Default: energy. */
  readonly objective?: Objective
  /** Chooses which part of a large space is seen. An integer, default 1. */
  readonly seed?: number
  /** Mappings evaluated at most. Default: 60,000. */
  readonly budget?: number
  /** Mappings to begin from, as far as the constraint allows them: the result is never worse than one that follows it. */
  readonly from?: readonly Mapping[]
  /** Stops the search: the best so far is the result. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: MapProgress) => void
}

export interface MapProgress {
  readonly seen: number
  readonly budget: number
  /** Best objective so far: energy, energy × cycles, or cycles. */
  readonly best: number
}

export interface Searched {
  /** Legal mappings that were evaluated. */
  readonly seen: number
  /**
   * Size of the space, combinations that fit nowhere included: every combination of keeps and forwards counts, also of forwards
   * that hand nothing on, so it is an upper bound on the mappings that differ.
   */
  readonly total: number
  /** The whole space was walked: that of the mapper, see the head of `mapper.ts`. */
  readonly exhaustive: boolean
  /** Candidates refused before evaluation, because their tiles fit nowhere. */
  readonly pruned?: number
  readonly seconds?: number
  /** The search was stopped before its budget was spent. */
  readonly stopped?: boolean
}

export interface MapResult {
  readonly mapping: Mapping
  readonly evaluation: Evaluation
  readonly searched: Searched
}

export const DEFAULT_BUDGET = 60_000
/** Mappings that each dataflow of the literature may take for a start. */
const LARGEST_START = 2000

const KNOWN: Readonly<Record<keyof MapOptions, true>> = {
  hardware: true,
  dataflow: true,
  objective: true,
  seed: true,
  budget: true,
  from: true,
  signal: true,
  onProgress: true,
  halo: true,
  convention: true,
  densities: true,
}

/**
 * The best mapping found. When `signal` fires, the best so far.
 * @param problem what it leaves out is as `convProblem` has it
 * @throws MappingError when no mapping is legal; OptionError for an option that there is not, an unknown dataflow or objective, a
 * budget or seed that is none; ShapeError where fields of the problem are left out and those given are no problem
 */
export function mapProblem(problem: Partial<Problem>, options: MapOptions): MapResult {
  const search = searchSteps(problem, options)
  for (let step = search.next(); ; step = search.next()) if (step.done === true) return step.value
}

/**
 * The same in small steps, for callers that look after something else between them: each `next()` takes some milliseconds.
 * @throws as `mapProblem`
 */
export function* searchSteps(given: Partial<Problem>, options: MapOptions): Generator<MapProgress, MapResult> {
  checkKeys(options)
  const problem = completeProblem(given)
  const { hardware, objective = 'energy', seed = 1, budget = DEFAULT_BUDGET, from = [], signal, onProgress } = options
  if (!Number.isSafeInteger(budget) || budget < 1) {
    throw new OptionError(`A budget of ${budget} mappings`, { remedy: 'Look at one at least' })
  }
  if (!Number.isSafeInteger(seed)) throw new OptionError(`The seed ${seed} is no integer`)
  const dataflow = constraintNamed(options.dataflow)
  const began = performance.now()
  const space = new Space(problem, hardware, dataflow, options.halo)
  const judge = new Judge(space, objective, options)
  const total = space.total()
  const exhaustive = total <= budget
  const search = exhaustive ? walkAll(new Candidate(space), judge) : sample(judge, dataflow, seed, budget, from)
  let stopped = false
  for (let step = search.next(); step.done !== true; step = search.next()) {
    const progress = { seen: judge.seen, budget: Math.min(budget, total), best: judge.value }
    onProgress?.(progress)
    yield progress
    stopped = judge.found && signal?.aborted === true
    if (stopped) break
  }
  if (!judge.found) {
    throw new MappingError(`No mapping of the problem under ${dataflow.name} fits ${hardware.name}`, {
      dataflow: dataflow.name,
      candidates: judge.pruned,
      remedy: 'Give the hardware a larger buffer or register file, or choose another dataflow',
    })
  }
  const mapping = decode(judge.best.code(), hardware)
  return {
    mapping,
    evaluation: evaluate(problem, hardware, mapping, options),
    searched: {
      seen: judge.seen,
      total,
      exhaustive: exhaustive && !stopped,
      pruned: judge.pruned,
      seconds: (performance.now() - began) / 1000,
      ...(stopped ? { stopped } : {}),
    },
  }
}

/** A misspelt option would be an option left out. */
function checkKeys(options: MapOptions): void {
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(KNOWN, name))
  if (unknown.length === 0) return
  throw new OptionError(`The mapper has no option ${unknown.map((name) => JSON.stringify(name)).join(', ')}`, {
    remedy: `Its options are ${Object.keys(KNOWN).join(', ')}`,
  })
}

/** Without a constraint the literature's dataflows are searched a little first, and the best of each is a start. */
function* sample(judge: Judge, dataflow: Dataflow, seed: number, budget: number, from: readonly Mapping[]): Generator<void, void> {
  const { space } = judge.best
  const random = new Random(seed)
  const starts = from.map((mapping) => startOf(space, mapping))
  if (dataflow.name === UNCONSTRAINED.name && from.length === 0) {
    for (const known of Object.values(DATAFLOWS)) {
      const narrow = judge.under(known)
      yield* anneal(narrow, random, Math.min(LARGEST_START, Math.floor(budget / 20)), [])
      if (!narrow.found) continue
      const start = startOf(space, decode(narrow.best.code(), space.hardware))
      judge.score(start)
      starts.push(start)
    }
  }
  yield* anneal(judge, random, budget, starts)
}

function startOf(space: Space, mapping: Mapping): Candidate {
  const start = new Candidate(space)
  start.take(mapping)
  return start
}
