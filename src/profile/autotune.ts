/**
 * The autotuner of matrix products and convolutions: a time budget shared out among the problems of a model, a tournament of kernels for
 * each (tournament.ts). What is found goes to `gpu.tuned`, where plans look first, and to the caller, who may keep it (tuning.ts). A kernel
 * that fails is out, with its reason; it never ends the run.
 */
import { DeviceLostError, OptionError } from '../errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { ratesFor, type Rates } from '../ops/gemm/estimate.ts'
import { KERNELS_VERSION } from '../ops/kept.ts'
import { checkSizes } from './exam.ts'
import { reasonOf } from './order.ts'
import { measurePeaks } from './peak.ts'
import type { AdapterDescription } from './report.ts'
import { hasRun, Tournament, untunedFacts, type TournamentProgress, type TunedProblem, type TuneTask } from './tournament.ts'
import type { TunedEntry } from './tuning.ts'

export interface AutotuneOptions {
  /** Milliseconds in all (default 10 000); each problem's default kernel is measured in any case. */
  readonly budgetMs?: number
  /** Samples of the last rounds at most (default 8). */
  readonly samples?: number
  /** Rates that candidates are ranked by (default: by the kind of adapter; of a GPU the measured peaks). */
  readonly rates?: Rates
  readonly onProgress?: (event: AutotuneProgress) => void
  /** Handed each problem's result as it is found, and awaited: what a later fault of a driver cannot take away. */
  readonly onTuned?: (entry: TunedEntry) => Promise<void>
  /** Stops between measurements; what is done is kept. */
  readonly signal?: AbortSignal
}

export interface AutotuneProgress extends TournamentProgress {
  /** Of `total` problems. */
  readonly index: number
  readonly total: number
  readonly problem: string
}

/** A problem that could not be tuned: it is too large, not even its default kernel ran, or the device was lost. */
export interface UntunedProblem {
  readonly problem: string
  readonly layers: readonly string[]
  readonly reason: string
}

export interface AutotuneResult {
  readonly adapter: AdapterDescription
  readonly tuned: readonly TunedProblem[]
  readonly untuned: readonly UntunedProblem[]
  /** Of all problems together: ranks within each, set side by side. */
  readonly rank_correlation?: number
  /** For a `TuningStore`: of the problems that were decided. */
  readonly entries: readonly TunedEntry[]
  /** False when a problem could not be tuned, or it was stopped before every one was looked at. */
  readonly complete: boolean
}

/**
 * Tunes problems, those that take the longest first and with the larger share of the time. What it finds is in force on this Gpu from then on.
 * @throws OptionError for options that do not fit, the signal's reason where it was stopped before anything was measured
 */
export async function autotune(gpu: Gpu, given: readonly TuneTask[], options: AutotuneOptions = {}): Promise<AutotuneResult> {
  const { budgetMs = 10_000, samples = 8, signal } = options
  if (!(budgetMs >= 0)) throw new OptionError(`A budget of ${budgetMs} ms`, { remedy: 'Give milliseconds' })
  if (!Number.isSafeInteger(samples) || samples < 1) throw new OptionError(`${samples} samples`, { remedy: 'Take at least one' })
  signal?.throwIfAborted()
  const started = performance.now()
  const untuned: UntunedProblem[] = []
  const fitting = distinctTasks(given).filter((task) => {
    try {
      checkSizes(task.problem, gpu.facts)
      return true
    } catch (error) {
      untuned.push(untunedOf(task, error))
      return false
    }
  })
  const rates = options.rates ?? (fitting.length === 0 ? ratesFor(gpu.facts) : await ratesOf(gpu, signal))
  const tasks = fitting.map((task) => ({ ...task, weight: weightOf(task, gpu, rates) }))
  tasks.sort((a, b) => b.weight - a.weight)
  const tuned: TunedProblem[] = []
  const entries: TunedEntry[] = []
  const end = started + budgetMs
  let complete = untuned.length === 0
  for (const [index, task] of tasks.entries()) {
    const problem = task.problem.key
    const share = Math.max(0, end - performance.now()) * shareOf(tasks.slice(index).map(({ weight }) => weight))
    const progress = (event: TournamentProgress): void => options.onProgress?.({ index, total: tasks.length, problem, ...event })
    try {
      const run = new Tournament(gpu, task, { rates, samples, end: performance.now() + share, progress, signal })
      const found = await run.result()
      tuned.push(found)
      if (found.decided) {
        gpu.tuned.set(problem, found.after.config)
        entries.push(entryOf(gpu, found))
      }
      if (run.stopped) complete = false
    } catch (error) {
      complete = false
      const isLost = error instanceof DeviceLostError
      if (signal?.aborted === true && !isLost) break
      untuned.push(untunedOf(task, error))
      if (isLost) break
    }
    const last = entries.at(-1)
    if (last?.problem === problem) await options.onTuned?.(last)
    if (signal?.aborted === true) {
      complete &&= index === tasks.length - 1
      break
    }
  }
  if (tuned.length === 0) signal?.throwIfAborted()
  const correlation = overall(tuned)
  return {
    adapter: gpu.adapter,
    tuned,
    untuned,
    ...(correlation === undefined ? {} : { rank_correlation: correlation }),
    entries,
    complete,
  }
}

/** A GPU's peaks are measured once; of a software adapter the rates are fitted, and ranks do not depend on its speed. */
async function ratesOf(gpu: Gpu, signal: AbortSignal | undefined): Promise<Rates> {
  if (gpu.facts.software) return ratesFor(gpu.facts)
  return ratesFor(gpu.facts, await measurePeaks(gpu, signal === undefined ? {} : { signal }))
}

/** Of the time left, the first problem's part: half of it by weight, half alike, since compiling takes its time for small ones too. */
export function shareOf(weights: readonly number[]): number {
  const [own = 0] = weights
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return sum === 0 ? 1 : (own / sum + 1 / weights.length) / 2
}

function untunedOf({ problem, layers }: TuneTask, error: unknown): UntunedProblem {
  return { problem: problem.key, layers, reason: reasonOf(error) }
}

function entryOf(gpu: Gpu, { problem, before, after }: TunedProblem): TunedEntry {
  return {
    adapter: gpu.facts.adapter,
    kernels: KERNELS_VERSION,
    problem,
    config: { ...after.config },
    time_ms: after.time_ms,
    before_ms: before.time_ms,
    at: new Date().toISOString(),
  }
}

/** Each problem once; empty ones left out. */
export function distinctTasks(tasks: readonly TuneTask[]): TuneTask[] {
  const found = new Map<string, TuneTask>()
  for (const { problem, layers } of tasks) {
    if (problem.sizes.flops === 0) continue
    found.set(problem.key, { problem, layers: [...(found.get(problem.key)?.layers ?? []), ...layers] })
  }
  return [...found.values()]
}

/** Seconds that a problem takes by its estimate, in all layers that it is. */
function weightOf({ problem, layers }: TuneTask, gpu: Gpu, rates: Rates): number {
  const { config } = problem.chosen(untunedFacts(gpu))
  return problem.estimate(config, gpu.facts, rates).seconds * Math.max(1, layers.length)
}

/** The mean of the problems' own correlations, each weighted by the pairs that it ranks. */
function overall(tuned: readonly TunedProblem[]): number | undefined {
  let sum = 0
  let weight = 0
  for (const { rank_correlation: correlation, tried } of tuned) {
    if (correlation === undefined) continue
    const ran = tried.filter(hasRun).length - 1
    sum += correlation * ran
    weight += ran
  }
  return weight === 0 ? undefined : sum / weight
}
