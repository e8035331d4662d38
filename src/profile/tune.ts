/**
 * Measured time as the mapper's objective: of all mappings looked at, the few that the GPU's cost model likes best are compiled,
 * verified against the CPU reference and timed; the fastest wins. Think of it as a race after a selection on paper, whose
 * protocol (every runner, predicted and measured rank) is handed over with the winner.
 */
import { gpuHardware } from '../../models/hardware/index.ts'
import { seededTensor } from '../../models/seeded.ts'
import { evaluate } from '../cost/evaluate.ts'
import type { Evaluation } from '../cost/evaluation.ts'
import {
  DeviceLimitError,
  DeviceValidationError,
  DtypeError,
  MappingError,
  OptionError,
  TilewrightError,
  VerificationError,
} from '../errors.ts'
import { CommandList } from '../gpu/commands.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { OpPlan } from '../gpu/program.ts'
import { DATAFLOW_NAMES, DATAFLOWS, UNCONSTRAINED, dataflowNamed, parseDataflow, type Dataflow } from '../schedule/dataflow.ts'
import { mapForGpu, withGrid } from '../schedule/gpu-mapping.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { predictIssued } from '../schedule/lowering/issued.ts'
import { lower } from '../schedule/lowering/lower.ts'
import { nestOf } from '../schedule/lowering/nest.ts'
import type { Mapping } from '../schedule/mapping.ts'
import type { Searched } from '../schedule/mapper.ts'
import { inputSpan, type Problem } from '../schedule/problem.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import { convolve, type Layer } from './layers.ts'
import { boundDispatches, outputType, verifyAndTime, type RowContext } from './measure.ts'
import { spearman } from './rank.ts'
import type { AdapterDescription, Clock } from './report.ts'
import { randomConstraints, Shortlist, type Shortlisted } from './shortlist.ts'

export interface TuneOptions {
  /**
   * A name, a constraint of one's own, `all` (the seven, the default), `none` (the seven, and random constraints besides), or
   * several of these.
   */
  readonly dataflow?: string | Dataflow | readonly (string | Dataflow)[]
  /** What mappings are made for (default: this GPU); shrunk to a workgroup. */
  readonly hardware?: Hardware
  /** Mappings that are run (default 8). */
  readonly candidates?: number
  /** Timed samples of each (default 3; slow ones on a software adapter take fewer). */
  readonly samples?: number
  /** Chooses which part of a large space is looked at, the random constraints, and the data (default 1). */
  readonly seed?: number
  /** Mappings whose cost is predicted, of each constraint at most (default 600). */
  readonly budget?: number
  /** Stops between runs: the best so far is returned, and `complete` is false. */
  readonly signal?: AbortSignal
  readonly onProgress?: (event: TuneProgress) => void
}

export interface TuneProgress {
  readonly phase: 'search' | 'reference' | 'compile' | 'verify' | 'time'
  /** Mappings run so far and in all; while searching, constraints. */
  readonly index: number
  readonly total: number
  readonly dataflow: string
}

/** A mapping that was run. */
export interface TriedMapping {
  readonly dataflow: string
  readonly mapping: Mapping
  /** Predicted cost on the GPU, in weighted lane steps: it ranks, and has no unit. */
  readonly score: number
  /** Median milliseconds. Absent where it did not run, see `refused`. */
  readonly time_ms?: number
  readonly samples_ms?: readonly number[]
  readonly gflops?: number
  /** The result is within the reference's bound; what is not can not win. */
  readonly verified: boolean
  /** Largest |error| / bound. */
  readonly max_error_ratio?: number
  /** Why the device did not take it. */
  readonly refused?: string
}

export interface TuneResult {
  /** The fastest that is verified. */
  readonly mapping: Mapping
  readonly dataflow: string
  readonly evaluation: Evaluation
  readonly time_ms: number
  /** In the order of predicted cost, the best first. */
  readonly tried: readonly TriedMapping[]
  readonly searched: Searched
  /** Rank correlation of predicted cost and measured time over `tried`, −1 … 1; absent where fewer than two ran, or all tie. */
  readonly rank_correlation?: number
  readonly hardware: Hardware
  readonly adapter: AdapterDescription
  readonly clock: Clock
  /** What was shrunk, and constraints that nothing fits. */
  readonly notes: readonly string[]
  /** False when it was stopped before every candidate had run. */
  readonly complete: boolean
}

/** Random constraints that `none` looks at beside the seven. */
const RANDOM_CONSTRAINTS = 24

/**
 * The fastest mapping of a problem on this GPU, measured.
 * @throws MappingError when nothing fits; VerificationError when no candidate gave the right result; OptionError for options that
 *   do not fit; the signal's reason when it was stopped before anything was timed
 */
export async function tuneProblem(gpu: Gpu, problem: Problem, options: TuneOptions = {}): Promise<TuneResult> {
  const { candidates = 8, samples = 3, seed = 1, budget = 600, signal, onProgress } = options
  for (const [name, value] of Object.entries({ candidates, samples, budget })) {
    if (!Number.isSafeInteger(value) || value < 1) throw new OptionError(`${value} ${name}`, { remedy: 'Take at least one' })
  }
  if (!Number.isSafeInteger(seed)) throw new OptionError(`The seed ${seed} is no integer`)
  const flows = constraints(options.dataflow ?? 'all', seed)
  const hardware = options.hardware ?? gpuHardware(gpu.facts)
  const found = await search(gpu, problem, flows, hardware, { candidates, seed, budget, onProgress, signal })

  onProgress?.({ phase: 'reference', index: 0, total: found.list.length, dataflow: '' })
  await breathe()
  const layer = layerOf(problem, seed)
  using onX = gpu.upload(layer.x)
  using onW = gpu.upload(layer.w)
  const plans = found.list.map(({ mapping }) => planOf(gpu, layer, mapping))
  onProgress?.({ phase: 'compile', index: 0, total: plans.length, dataflow: '' })
  await compileAll(gpu, layer, plans, [onX, onW])

  const tried: TriedMapping[] = []
  let clock: Clock | undefined
  const stopped = (): boolean => signal?.aborted === true
  for (const [index, entry] of found.list.entries()) {
    if (stopped()) break
    const { dataflow } = entry
    const phase = (name: 'map' | 'verify' | 'time' | 'count'): void => {
      if (name === 'verify' || name === 'time') onProgress?.({ phase: name, index, total: found.list.length, dataflow })
    }
    const context: RowContext = { gpu, layer, onX, onW, samples, phase, ...(signal === undefined ? {} : { signal }) }
    try {
      const result = await runOne(context, entry, plans[index])
      tried.push(result.tried)
      clock = result.clock ?? clock
    } catch (error) {
      // What throws once a stop was asked for is the stop itself.
      if (!stopped()) throw error
      break
    }
  }
  const winner = fastest(tried)
  if (winner?.time_ms === undefined || clock === undefined) {
    signal?.throwIfAborted()
    const [first] = tried
    throw new VerificationError(`None of ${tried.length} mappings gave the right result`, {
      ...(first?.refused === undefined ? {} : { first: first.refused }),
      remedy: 'This is a fault of the device or of Tilewright: look at `tilewright profile`, which counts and verifies each',
    })
  }
  const timed = tried.flatMap(({ score, time_ms }) => (time_ms === undefined ? [] : [{ score, time_ms }]))
  const correlation = spearman(
    timed.map(({ score }) => score),
    timed.map(({ time_ms }) => time_ms),
  )
  return {
    mapping: winner.mapping,
    dataflow: winner.dataflow,
    evaluation: {
      ...evaluate(problem, withGrid(found.hardware, winner.mapping), winner.mapping),
      issued: predictIssued(nestOf(problem, winner.mapping), planeOf(layer)),
    },
    time_ms: winner.time_ms,
    tried,
    searched: found.searched,
    ...(correlation === undefined ? {} : { rank_correlation: correlation }),
    hardware: withGrid(found.hardware, winner.mapping),
    adapter: gpu.adapter,
    clock,
    notes: found.notes,
    complete: tried.length === found.list.length,
  }
}

function fastest(tried: readonly TriedMapping[]): TriedMapping | undefined {
  return tried
    .filter(({ verified, time_ms }) => verified && time_ms !== undefined)
    .reduce<TriedMapping | undefined>(
      (best, one) => ((one.time_ms ?? Infinity) < (best?.time_ms ?? Infinity) ? one : best),
      undefined,
    )
}

function constraints(given: string | Dataflow | readonly (string | Dataflow)[], seed: number): Dataflow[] {
  const list = typeof given === 'string' || !isList(given) ? [given] : given
  const seven = DATAFLOW_NAMES.map((name) => DATAFLOWS[name])
  const flows = list.flatMap((dataflow): Dataflow[] => {
    if (dataflow === 'all') return seven
    // Without any constraint a kernel's choices are too many to walk: many narrow ones stand for none.
    if (dataflow === 'none' || dataflow === UNCONSTRAINED) return [...seven, ...randomConstraints(RANDOM_CONSTRAINTS, seed)]
    return [typeof dataflow === 'string' ? dataflowNamed(dataflow) : parseDataflow(dataflow)]
  })
  if (flows.length === 0) throw new OptionError('No dataflow was given', { remedy: 'Choose all, none, or some by name' })
  return flows.filter((flow, index) => flows.indexOf(flow) === index)
}

function isList<T>(given: T | readonly T[]): given is readonly T[] {
  return Array.isArray(given)
}

interface Found {
  readonly list: readonly Shortlisted[]
  readonly hardware: Hardware
  readonly searched: Searched
  readonly notes: readonly string[]
}

interface SearchOptions {
  readonly candidates: number
  readonly seed: number
  readonly budget: number
  readonly onProgress: TuneOptions['onProgress']
  readonly signal: AbortSignal | undefined
}

/** The mappings of least predicted cost under any of the constraints. @throws MappingError when none fits */
async function search(
  gpu: Gpu,
  problem: Problem,
  flows: readonly Dataflow[],
  hardware: Hardware,
  { candidates, seed, budget, onProgress, signal }: SearchOptions,
): Promise<Found> {
  const shortlist = new Shortlist(candidates)
  const notes = new Set<string>()
  const seen = { seen: 0, total: 0, exhaustive: true }
  let fitted: Hardware | undefined
  let refusal: unknown
  const plane = planeFor(problem)
  // Where neighbours hand words on, also without: the cost model does not know which a device likes better.
  const either = flows.flatMap((flow) => (flow.forward?.includes('inputs') === true ? [flow, { ...flow, forward: [] }] : [flow]))
  for (const [index, flow] of either.entries()) {
    signal?.throwIfAborted()
    onProgress?.({ phase: 'search', index, total: either.length, dataflow: flow.name })
    await breathe()
    try {
      const result = mapForGpu(problem, flow, hardware, gpu.facts, plane, {
        seed,
        budget,
        onCandidate: ({ mapping, score }) => shortlist.add({ dataflow: flow.name, mapping, score }),
      })
      fitted = result.hardware
      seen.seen += result.searched.seen
      seen.total += result.searched.total
      seen.exhaustive &&= result.searched.exhaustive
      for (const note of result.notes) notes.add(note)
    } catch (error) {
      if (!(error instanceof MappingError)) throw error
      refusal = error
      seen.exhaustive = false
      notes.add(`${flow.name}: ${error.message}`)
    }
  }
  if (fitted === undefined) throw refusal
  return { list: shortlist.entries, hardware: fitted, searched: seen, notes: [...notes] }
}

/** Extents of the input plane that the problem's windows just fill, padding left out. */
function planeFor(problem: Problem): { rows: number; columns: number } {
  const span = inputSpan(problem)
  const [top, left, bottom, right] = problem.padding
  return { rows: Math.max(1, span.rows - top - bottom), columns: Math.max(1, span.columns - left - right) }
}

function planeOf({ x }: Layer): { rows: number; columns: number } {
  const [, , rows = 1, columns = 1] = x.shape
  return { rows, columns }
}

/** The problem with seeded data. */
function layerOf(problem: Problem, seed: number): Layer {
  const { rows, columns } = planeFor(problem)
  const tensorOf = (name: string, shape: readonly number[]): HostTensor => seededTensor(seed, name, shape, { centre: 0, spread: 1 })
  const x = tensorOf('inputs', [problem.N, problem.groups * problem.C, rows, columns])
  const w = tensorOf('weights', [problem.groups * problem.M, problem.C, problem.R, problem.S])
  return { name: 'problem', problem, x, w, reference: convolve(problem, x, w) }
}

type Planned = OpPlan | TilewrightError

/** The fast build of a mapping, or why the device cannot hold it. */
function planOf(gpu: Gpu, layer: Layer, mapping: Mapping): Planned {
  try {
    return lower(layer.problem, mapping, gpu.facts, 'fast', layer, planeOf(layer)).plan
  } catch (error) {
    if (isRefusal(error)) return error
    throw error
  }
}

function isRefusal(error: unknown): error is TilewrightError {
  return (
    error instanceof MappingError ||
    error instanceof DeviceLimitError ||
    error instanceof DtypeError ||
    error instanceof DeviceValidationError
  )
}

/** Compiles all plans side by side, so that none waits for another; a plan that is refused is met again when it runs. */
async function compileAll(gpu: Gpu, layer: Layer, plans: readonly Planned[], inputs: readonly DeviceTensor[]): Promise<void> {
  using y = gpu.allocate(outputType(layer))
  const outcomes = await Promise.allSettled(
    plans.map(async (plan) => {
      if (plan instanceof TilewrightError) return
      const temps = plan.temps.map((temp) => gpu.allocate(temp))
      try {
        const commands = await CommandList.create(gpu, boundDispatches(plan, { inputs, outputs: [y], temps }, layer.name), {
          warm: true,
        })
        commands.dispose()
      } finally {
        for (const temp of temps) temp.dispose()
      }
    }),
  )
  for (const outcome of outcomes) if (outcome.status === 'rejected' && !isRefusal(outcome.reason)) throw outcome.reason
}

async function runOne(
  context: RowContext,
  { dataflow, mapping, score }: Shortlisted,
  plan: Planned | undefined,
): Promise<{ tried: TriedMapping; clock?: Clock }> {
  const entry = { dataflow, mapping, score }
  const refused = (error: TilewrightError) => ({
    tried: { ...entry, verified: false, refused: `${error.name}: ${error.message}` },
  })
  if (plan === undefined || plan instanceof TilewrightError) return refused(plan ?? new MappingError('It was not planned'))
  try {
    const { check, figures, clock } = await verifyAndTime(context, plan)
    return { tried: { ...entry, ...figures, verified: check.ok, max_error_ratio: check.maxRatio }, clock }
  } catch (error) {
    if (isRefusal(error)) return refused(error)
    throw error
  }
}

/** Lets timers, signals and the page run before a long stretch of CPU work. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}
