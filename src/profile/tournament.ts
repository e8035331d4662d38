/**
 * One problem's tournament: kernels in the order that the estimate ranks them, each verified, the best measured again and again until
 * one is left (successive halving: Jamieson, Talwalkar, AISTATS 2016).
 *
 *     candidates ─▶ ranked by estimate, the default first ─▶ compiled side by side ─▶ exact? ─▶ timed
 *                                                                              ▲                  │ better half, twice the samples
 *                                                                              └──────────────────┘ until one, or the time is over
 *
 * The last one takes the default's place where it is faster also in turns with it, by the median of the turns.
 */
import { DeviceLostError, OptionError } from '../errors.ts'
import { CommandList, type BoundDispatch } from '../gpu/commands.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import { zeroDispatch } from '../gpu/fill.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { readied, type DeviceFacts, type OpPlan } from '../gpu/program.ts'
import { timeDispatches } from '../gpu/timer.ts'
import { nameOfKernel, type TunedKernel } from '../gpu/tuning.ts'
import type { Estimate, Ranked, Rates } from '../ops/gemm/estimate.ts'
import { prepare, runPlan } from '../ops/run.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { boundDispatches, median } from './measure.ts'
import { rankedBy, reasonOf } from './order.ts'
import { spearman } from './rank.ts'
import type { Exam, ProblemSizes, Tunable } from './tunable.ts'

/** Kernels compiled at once. Drivers of GPUs compile on several threads; lavapipe compiles one after another, at the first dispatch. */
function sideBySide({ software }: DeviceFacts): number {
  return software ? 1 : 4
}
/** A kernel takes the default's place where it is faster by more than clocks and neighbours disturb. */
const LEAST_GAIN = 1.03
/** Turns that a kernel and the default take at least before one replaces the other, also beyond the time. */
const LEAST_TURNS = 3
/** A candidate is passed over where its estimate, scaled by what was measured, is so much of the time left. */
const MOST_OF_BUDGET = 0.5

/** A problem to tune, and the layers that are it. */
export interface TuneTask {
  readonly problem: Tunable
  readonly layers: readonly string[]
}

export interface TournamentProgress {
  readonly phase: 'reference' | 'compile' | 'measure'
  /** The kernel at hand, how many have been measured, and how many there are, the default one among them. */
  readonly config?: TunedKernel
  readonly measured: number
  readonly kernels: number
}

export interface TriedKernel {
  readonly config: TunedKernel
  readonly estimate_ms: number
  readonly bound: Estimate['bound']
  /** Of what no kernel before it had compiled, several kernels perhaps side by side. */
  readonly compile_ms?: number
  /** The least of all samples; absent where it did not run. */
  readonly time_ms?: number
  readonly samples: number
  /** Elements and rows held against f64. */
  readonly checked?: { readonly elements: number; readonly rows: number }
  /** What puts it out: the device refuses it, or its result is wrong. */
  readonly fault?: string
  /** Why it was passed over: the time. */
  readonly skipped?: string
}

export interface TunedProblem {
  /** `productKey` or `convolutionKey`. */
  readonly problem: string
  readonly sizes: ProblemSizes
  readonly layers: readonly string[]
  /** The kernel before tuning, and why it was that one. */
  readonly before: { readonly config: TunedKernel; readonly reason: string; readonly time_ms: number }
  /** The fastest that is verified; the one before where none is faster by more than the noise. */
  readonly after: { readonly config: TunedKernel; readonly time_ms: number }
  /** Whether this is a result: a kernel was found, or the default was held against another to the end. */
  readonly decided: boolean
  /** In the order tried. */
  readonly tried: readonly TriedKernel[]
  /** What the problem's bound on the error rules out, or cannot be planned, with why. */
  readonly refused: readonly { readonly config: TunedKernel; readonly reason: string }[]
  /** Candidates there were; fewer were tried where the budget ended. */
  readonly candidates: number
  /** Of estimate and measured time, −1 … 1; absent where fewer than two ran. */
  readonly rank_correlation?: number
}

/** What the device would be without the user's tuning: what is tuned is compared with what everybody has. */
export function untunedFacts({ facts }: Gpu): DeviceFacts {
  return { ...facts, tuned: new Map() }
}

export interface Course {
  readonly rates: Rates
  readonly samples: number
  /** When time is up, by `performance.now()`. */
  readonly end: number
  readonly progress: (event: TournamentProgress) => void
  readonly signal: AbortSignal | undefined
}

interface Contender extends Ranked<TunedKernel> {
  /** Its preparations are inputs (`readied`). */
  plan?: OpPlan
  prepared: readonly DeviceTensor[]
  compile_ms?: number
  time_ms?: number
  samples: number
  checked?: TriedKernel['checked']
  fault?: string
  skipped?: string
}

/** One problem's tournament. */
export class Tournament {
  readonly #gpu: Gpu
  readonly #task: TuneTask
  readonly #course: Course
  readonly #tried: Contender[] = []
  #exam: Exam | undefined
  #kernels = 0
  /** By input of the op, as plans bind them. */
  #inputs: readonly (DeviceTensor | null)[] = []
  /** What plans prepare, made once for all that prepare the same. */
  readonly #prepared = new Map<string, readonly DeviceTensor[]>()

  constructor(gpu: Gpu, task: TuneTask, course: Course) {
    this.#gpu = gpu
    this.#task = task
    this.#course = course
  }

  get stopped(): boolean {
    return this.#course.signal?.aborted === true
  }

  /** @throws what the default kernel threw where it did not run; DeviceLostError */
  async result(): Promise<TunedProblem> {
    const { problem } = this.#task
    const own: DeviceTensor[] = []
    try {
      this.#course.progress({ phase: 'reference', measured: 0, kernels: 0 })
      await breathe()
      this.#exam = problem.exam()
      this.#inputs = this.#exam.operands.map((operand) => {
        if (operand === null) return null
        const tensor = this.#gpu.upload(operand)
        own.push(tensor)
        return tensor
      })
      const y = this.#gpu.allocate(problem.output)
      own.push(y)
      return await this.#run(y)
    } finally {
      for (const tensor of [...own, ...[...this.#prepared.values()].flat()]) tensor.dispose()
    }
  }

  async #run(y: DeviceTensor): Promise<TunedProblem> {
    const { problem, layers } = this.#task
    const facts = untunedFacts(this.#gpu)
    const before = problem.chosen(facts)
    const { others, refused } = problem.contenders(facts)
    const estimateOf = (config: TunedKernel): Estimate => problem.estimate(config, this.#gpu.facts, this.#course.rates)
    const { ranked, failed } = rankedBy(others, estimateOf)
    this.#kernels = 1 + ranked.length
    const champion: Contender = { config: before.config, estimate: estimateOf(before.config), prepared: [], samples: 0 }
    await this.#enter([champion], y, true)
    if (champion.time_ms === undefined) {
      this.#course.signal?.throwIfAborted()
      throw new OptionError(`The default kernel ${nameOfKernel(champion.config)} did not run: ${champion.fault ?? 'stopped'}`, {
        op: problem.op,
      })
    }
    const step = sideBySide(this.#gpu.facts)
    for (let at = 0; at < ranked.length && !this.#over; at += step) {
      await this.#enter(
        ranked.slice(at, at + step).map((one) => ({ ...one, prepared: [], samples: 0 })),
        y,
        false,
      )
    }
    await this.#halve(champion, y)
    const best = fastest(this.#tried) ?? champion
    const after = (await this.#beats(best, champion, y)) ? best : champion
    const ran = this.#tried.filter(hasRun)
    const correlation = spearman(
      ran.map((one) => one.estimate.seconds),
      ran.map((one) => one.time_ms ?? NaN),
    )
    return {
      problem: problem.key,
      sizes: problem.sizes,
      layers,
      before: { config: champion.config, reason: before.reason, time_ms: champion.time_ms },
      after: { config: after.config, time_ms: after.time_ms ?? champion.time_ms },
      decided: after !== champion || (!this.stopped && (ran.length > 1 || ranked.length === 0)),
      tried: this.#tried.map(triedOf),
      refused: [...refused, ...failed],
      candidates: 1 + ranked.length,
      ...(correlation === undefined ? {} : { rank_correlation: correlation }),
    }
  }

  get #over(): boolean {
    return this.stopped || performance.now() >= this.#course.end
  }

  /** Plans and compiles side by side, then verifies and times one after another. */
  async #enter(contenders: readonly Contender[], y: DeviceTensor, always: boolean): Promise<void> {
    for (const one of contenders) {
      if (!always && this.#tooSlow(one)) one.skipped = 'too slow for the time left, by its estimate'
      else await this.#attempt(one, () => this.#ready(one))
    }
    this.#tell('compile', contenders[0])
    await Promise.all(contenders.map((one) => this.#compile(one, y)))
    for (const one of contenders) {
      this.#tried.push(one)
      if (one.fault !== undefined || one.skipped !== undefined) continue
      if (!always && this.#over) {
        one.skipped = 'the time was over'
        continue
      }
      this.#tell('measure', one)
      await this.#verify(one)
      await this.#time(one, y, 1)
    }
  }

  #tell(phase: TournamentProgress['phase'], one: Contender | undefined): void {
    const measured = this.#tried.filter(({ time_ms }) => time_ms !== undefined).length
    this.#course.progress({ phase, measured, kernels: this.#kernels, ...(one === undefined ? {} : { config: one.config }) })
  }

  /** The better half is measured again with twice the samples, until one is left; the default takes part to the end. */
  async #halve(champion: Contender, y: DeviceTensor): Promise<void> {
    let round = this.#tried.filter(hasRun)
    for (let count = 2; round.length > 1 && count <= this.#course.samples; count *= 2) {
      round = round.toSorted((a, b) => (a.time_ms ?? Infinity) - (b.time_ms ?? Infinity)).slice(0, Math.ceil(round.length / 2))
      const again = round.includes(champion) ? round : [champion, ...round]
      for (const one of again) {
        if (this.#over) return
        this.#tell('measure', one)
        await this.#time(one, y, count)
      }
    }
  }

  /** Whether a kernel is faster than the default when both take turns, so that what disturbs one disturbs the other. */
  async #beats(other: Contender, champion: Contender, y: DeviceTensor): Promise<boolean> {
    const isFaster = (): boolean => (champion.time_ms ?? 0) > LEAST_GAIN * (other.time_ms ?? Infinity)
    if (!isFaster()) return false
    const ratios: number[] = []
    while (ratios.length < this.#course.samples && !this.stopped && (ratios.length < LEAST_TURNS || !this.#over)) {
      const before = await this.#time(champion, y, 1)
      const after = await this.#time(other, y, 1)
      if (before === undefined || after === undefined) return false
      ratios.push(before / after)
    }
    return isFaster() && median(ratios) > LEAST_GAIN
  }

  /** Whether a single run, by the estimate as far as the default's was true, would take most of the time left. */
  #tooSlow({ estimate: { seconds } }: Contender): boolean {
    const [champion] = this.#tried
    if (champion?.time_ms === undefined) return false
    const expected = (seconds / champion.estimate.seconds) * champion.time_ms
    // A run to warm up and verify, a sample.
    return 2 * expected > MOST_OF_BUDGET * (this.#course.end - performance.now())
  }

  /** Plans a kernel, with its preparations made: they are timed nowhere, as a model makes them once, at load. */
  async #ready(one: Contender): Promise<void> {
    const plan = this.#task.problem.plan(one.config, this.#gpu.facts)
    const key = JSON.stringify(plan.prepared ?? [])
    const known = this.#prepared.get(key)
    one.prepared = known ?? (await prepare(this.#gpu, plan, this.#inputs))
    this.#prepared.set(key, one.prepared)
    one.plan = readied(plan, this.#inputs.length)
  }

  async #compile(one: Contender, y: DeviceTensor): Promise<void> {
    await this.#bound(one, y, async (bound) => {
      const started = performance.now()
      const commands = await CommandList.create(this.#gpu, bound, { warm: true })
      one.compile_ms = performance.now() - started
      commands.dispose()
    })
  }

  async #verify(one: Contender): Promise<void> {
    const { plan, prepared } = one
    const exam = this.#exam
    if (plan === undefined || exam === undefined) return
    const { output: type } = this.#task.problem
    await this.#attempt(one, async () => {
      // Memory may hold the right result of the kernel before.
      const dispatches = [zeroDispatch(type, { kind: 'output', index: 0 }), ...plan.dispatches]
      const [result] = await runPlan(this.#gpu, { ...plan, dispatches }, [...this.#inputs, ...prepared], [type])
      if (result === undefined) throw new OptionError('The kernel gave no result')
      using given = result
      const { elements, rows, fault } = exam.check(new HostTensor(type.dtype, type.shape, await given.data()), one.config)
      one.checked = { elements, rows }
      if (fault !== undefined) one.fault = `wrong: ${fault}`
    })
  }

  /** The least of new samples, milliseconds; undefined where the kernel is out. */
  async #time(one: Contender, y: DeviceTensor, samples: number): Promise<number | undefined> {
    if (one.fault !== undefined) return undefined
    let least: number | undefined
    await this.#bound(one, y, async (bound) => {
      const timing = await timeDispatches(this.#gpu, bound, { warmups: 0, samples })
      least = Math.min(...timing.samples_ms)
      one.time_ms = Math.min(one.time_ms ?? Infinity, least)
      one.samples += timing.samples_ms.length
    })
    return least
  }

  /** Hands a kernel's dispatches over with memory for each operand. Nothing where it was not planned. */
  async #bound(one: Contender, y: DeviceTensor, task: (bound: BoundDispatch[]) => Promise<void>): Promise<void> {
    const { plan, prepared } = one
    if (plan === undefined) return
    await this.#attempt(one, async () => {
      const temps: DeviceTensor[] = []
      try {
        for (const type of plan.temps) temps.push(this.#gpu.allocate(type))
        const inputs = [...this.#inputs, ...prepared]
        await task(boundDispatches(plan, { inputs, outputs: [y], temps }, this.#task.problem.op))
      } finally {
        for (const temp of temps) temp.dispose()
      }
    })
  }

  /** What a kernel throws puts it out; a lost device ends the run. */
  async #attempt(one: Contender, task: () => Promise<void>): Promise<void> {
    try {
      await task()
    } catch (error) {
      if (error instanceof DeviceLostError) throw error
      one.fault = reasonOf(error)
    }
  }
}

/** Whether a kernel was verified and timed. */
export function hasRun({ fault, time_ms }: Pick<TriedKernel, 'fault' | 'time_ms'>): boolean {
  return fault === undefined && time_ms !== undefined
}

function fastest(tried: readonly Contender[]): Contender | undefined {
  return tried
    .filter(hasRun)
    .reduce<Contender | undefined>((best, one) => ((one.time_ms ?? Infinity) < (best?.time_ms ?? Infinity) ? one : best), undefined)
}

function triedOf({
  config,
  estimate: { seconds, bound },
  compile_ms,
  time_ms,
  samples,
  checked,
  fault,
  skipped,
}: Contender): TriedKernel {
  return {
    config,
    estimate_ms: seconds * 1000,
    bound,
    ...(compile_ms === undefined ? {} : { compile_ms }),
    ...(time_ms === undefined ? {} : { time_ms }),
    samples,
    ...(checked === undefined ? {} : { checked }),
    ...(fault === undefined ? {} : { fault }),
    ...(skipped === undefined ? {} : { skipped }),
  }
}

/** Lets timers, signals and the page run before a long stretch of CPU work. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}
