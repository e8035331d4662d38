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
import { CommandList } from '../gpu/commands.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { DeviceFacts, OpPlan } from '../gpu/program.ts'
import { timeDispatches } from '../gpu/timer.ts'
import { choose, productKey } from '../ops/gemm/choose.ts'
import { estimate, rankCandidates, type Estimate, type Ranked, type Rates } from '../ops/gemm/estimate.ts'
import { allCandidates, familyNamed } from '../ops/gemm/families.ts'
import type { Config } from '../ops/gemm/family.ts'
import { flopsOf, slicesOf, type Product } from '../ops/gemm/product.ts'
import { runPlan } from '../ops/run.ts'
import type { DType } from '../tensor/dtype.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { exactOperands, ExactResult } from './autotune-check.ts'
import { boundDispatches, median } from './measure.ts'
import { spearman } from './rank.ts'

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
  readonly product: Product
  readonly layers: readonly string[]
}

export interface TournamentProgress {
  readonly phase: 'reference' | 'compile' | 'measure'
  /** The kernel at hand, and how many have been measured. */
  readonly config?: Config
  readonly measured: number
}

export interface TriedKernel {
  readonly config: Config
  readonly estimate_ms: number
  readonly bound: Estimate['bound']
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

export interface ProductSizes {
  readonly rows: number
  readonly columns: number
  readonly depth: number
  /** Independent products of these sizes. */
  readonly slices: number
  readonly dtype: DType
  readonly flops: number
}

export function sizesOf(product: Product): ProductSizes {
  const { rows, columns, depth, a } = product
  return { rows, columns, depth, slices: slicesOf(product), dtype: a.type.dtype, flops: flopsOf(product) }
}

export interface TunedProduct {
  /** `productKey`. */
  readonly product: string
  readonly sizes: ProductSizes
  readonly layers: readonly string[]
  /** The kernel before tuning, and why it was that one. */
  readonly before: { readonly config: Config; readonly reason: string; readonly time_ms: number }
  /** The fastest that is verified; the one before where none is faster by more than the noise. */
  readonly after: { readonly config: Config; readonly time_ms: number }
  /** Whether this is a result: a kernel was found, or the default was held against another to the end. */
  readonly decided: boolean
  /** In the order tried. */
  readonly tried: readonly TriedKernel[]
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

interface Contender extends Ranked {
  plan?: OpPlan
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
  #expected: ExactResult | undefined
  /** By input of the op, as plans bind them. */
  #inputs: readonly DeviceTensor[] = []

  constructor(gpu: Gpu, task: TuneTask, course: Course) {
    this.#gpu = gpu
    this.#task = task
    this.#course = course
  }

  get stopped(): boolean {
    return this.#course.signal?.aborted === true
  }

  /** @throws what the default kernel threw where it did not run; DeviceLostError */
  async result(): Promise<TunedProduct> {
    const { product, layers } = this.#task
    const key = productKey(product)
    const before = choose(product, untunedFacts(this.#gpu))
    const same = JSON.stringify(familyNamed(before.config.kernel, product.op).schema.parse(before.config))
    const others = allCandidates(product, this.#gpu.facts).filter((config) => JSON.stringify(config) !== same)
    const ranked = rankCandidates(product, others, this.#gpu.facts, this.#course.rates)
    const first: Ranked = { config: before.config, estimate: estimate(product, before.config, this.#gpu.facts, this.#course.rates) }
    this.#course.progress({ phase: 'reference', measured: 0 })
    await breathe()
    const operands = exactOperands(product)
    this.#expected = new ExactResult(product, operands)
    using a = this.#gpu.upload(operands.a)
    using b = this.#gpu.upload(operands.b)
    using y = this.#gpu.allocate(product.output)
    this.#inputs = inputsOf(product, a, b)
    const champion: Contender = { ...first, samples: 0 }
    await this.#enter([champion], y, true)
    if (champion.time_ms === undefined) {
      this.#course.signal?.throwIfAborted()
      throw new OptionError(`The default kernel ${champion.config.kernel} did not run: ${champion.fault ?? 'stopped'}`, {
        op: product.op,
      })
    }
    const step = sideBySide(this.#gpu.facts)
    for (let at = 0; at < ranked.length && !this.#over; at += step) {
      await this.#enter(
        ranked.slice(at, at + step).map((one) => ({ ...one, samples: 0 })),
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
      product: key,
      sizes: sizesOf(product),
      layers,
      before: { config: champion.config, reason: before.reason, time_ms: champion.time_ms },
      after: { config: after.config, time_ms: after.time_ms ?? champion.time_ms },
      decided: after !== champion || (!this.stopped && (ran.length > 1 || ranked.length === 0)),
      tried: this.#tried.map(triedOf),
      candidates: 1 + ranked.length,
      ...(correlation === undefined ? {} : { rank_correlation: correlation }),
    }
  }

  get #over(): boolean {
    return this.stopped || performance.now() >= this.#course.end
  }

  /** Plans and compiles side by side, then verifies and times one after another. */
  async #enter(contenders: readonly Contender[], y: DeviceTensor, always: boolean): Promise<void> {
    const { progress } = this.#course
    for (const one of contenders) {
      if (!always && this.#tooSlow(one)) one.skipped = 'too slow for the time left, by its estimate'
      else this.#guard(one, () => (one.plan = this.#planOf(one.config)))
    }
    progress({
      phase: 'compile',
      measured: this.#measured,
      ...(contenders[0] === undefined ? {} : { config: contenders[0].config }),
    })
    await Promise.all(contenders.map((one) => this.#compile(one, y)))
    for (const one of contenders) {
      this.#tried.push(one)
      if (one.fault !== undefined || one.skipped !== undefined) continue
      if (!always && this.#over) {
        one.skipped = 'the time was over'
        continue
      }
      progress({ phase: 'measure', config: one.config, measured: this.#measured })
      await this.#verify(one)
      await this.#time(one, y, 1)
    }
  }

  get #measured(): number {
    return this.#tried.filter(({ time_ms }) => time_ms !== undefined).length
  }

  /** The better half is measured again with twice the samples, until one is left; the default takes part to the end. */
  async #halve(champion: Contender, y: DeviceTensor): Promise<void> {
    let round = this.#tried.filter(hasRun)
    for (let count = 2; round.length > 1 && count <= this.#course.samples; count *= 2) {
      round = round.toSorted((a, b) => (a.time_ms ?? Infinity) - (b.time_ms ?? Infinity)).slice(0, Math.ceil(round.length / 2))
      const again = round.includes(champion) ? round : [champion, ...round]
      for (const one of again) {
        if (this.#over) return
        this.#course.progress({ phase: 'measure', config: one.config, measured: this.#measured })
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
  #tooSlow({ estimate: { seconds } }: Ranked): boolean {
    const [champion] = this.#tried
    if (champion?.time_ms === undefined) return false
    const expected = (seconds / champion.estimate.seconds) * champion.time_ms
    // A run to warm up and verify, a sample.
    return 2 * expected > MOST_OF_BUDGET * (this.#course.end - performance.now())
  }

  #planOf(config: Config): OpPlan {
    const { product } = this.#task
    return familyNamed(config.kernel, product.op).plan(product, config, this.#gpu.facts)
  }

  async #compile(one: Contender, y: DeviceTensor): Promise<void> {
    const { plan } = one
    if (plan === undefined) return
    await this.#attempt(one, async () => {
      const temps = this.#temps(plan)
      try {
        const commands = await CommandList.create(this.#gpu, this.#bound(plan, y, temps), { warm: true })
        commands.dispose()
      } finally {
        for (const temp of temps) temp.dispose()
      }
    })
  }

  async #verify(one: Contender): Promise<void> {
    const { plan } = one
    const expected = this.#expected
    if (plan === undefined || expected === undefined) return
    const { output: type } = this.#task.product
    await this.#attempt(one, async () => {
      const [result] = await runPlan(this.#gpu, plan, this.#inputs, [type])
      if (result === undefined) throw new OptionError('The kernel gave no result')
      using given = result
      const { elements, rows, fault } = expected.check(new HostTensor(type.dtype, type.shape, await given.data()))
      one.checked = { elements, rows }
      if (fault !== undefined) one.fault = `wrong: ${fault}`
    })
  }

  /** The least of new samples, milliseconds; undefined where the kernel is out. */
  async #time(one: Contender, y: DeviceTensor, samples: number): Promise<number | undefined> {
    const { plan } = one
    if (plan === undefined || one.fault !== undefined) return undefined
    let least: number | undefined
    await this.#attempt(one, async () => {
      const temps = this.#temps(plan)
      try {
        const timing = await timeDispatches(this.#gpu, this.#bound(plan, y, temps), { warmups: 0, samples })
        least = Math.min(...timing.samples_ms)
        one.time_ms = Math.min(one.time_ms ?? Infinity, least)
        one.samples += timing.samples_ms.length
      } finally {
        for (const temp of temps) temp.dispose()
      }
    })
    return least
  }

  #temps(plan: OpPlan): DeviceTensor[] {
    return plan.temps.map((type) => this.#gpu.allocate(type))
  }

  #bound(plan: OpPlan, y: DeviceTensor, temps: readonly DeviceTensor[]): ReturnType<typeof boundDispatches> {
    return boundDispatches(plan, { inputs: this.#inputs, outputs: [y], temps }, this.#task.product.op)
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

  #guard(one: Contender, task: () => void): void {
    try {
      task()
    } catch (error) {
      one.fault = reasonOf(error)
    }
  }
}

/** An error as a report gives it. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

/** A and B as inputs 0 and 1 of the op; a product turned to a row has them swapped. */
function inputsOf({ op, a, b }: Product, onA: DeviceTensor, onB: DeviceTensor): DeviceTensor[] {
  if (a.input === 0 && b.input === 1) return [onA, onB]
  if (a.input === 1 && b.input === 0) return [onB, onA]
  throw new OptionError(`A product of inputs ${a.input} and ${b.input}`, { op, remedy: 'Its operands are inputs 0 and 1' })
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

function triedOf({ config, estimate: { seconds, bound }, time_ms, samples, checked, fault, skipped }: Contender): TriedKernel {
  return {
    config,
    estimate_ms: seconds * 1000,
    bound,
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
