/**
 * Energy and cycles of one mapping code after another, for searches. Think of it as the till of a shop: the same counts, prices and
 * hours as `evaluate` writes out on its bill, added up without printing one. Nothing is allocated once the digit chains of a
 * search have been met (`loops.ts`), and what is kept of them is bounded.
 */
import { MappingError } from '../errors.ts'
import type { MappingCode } from '../schedule/code.ts'
import { Fitting } from '../schedule/fit.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { DIMENSIONS, extentOf, type Problem } from '../schedule/problem.ts'
import { AccessCounter } from './counts.ts'
import type { EvaluateOptions } from './evaluate.ts'
import { energyOf, pricesOf, type Prices } from './prices.ts'
import { CycleCounter, foldsOf } from './time.ts'

export type ScorerOptions = Omit<EvaluateOptions, 'densities'>

export class Scorer {
  /** Counts of the last mapping scored, laid out as `tally.ts` says; overwritten by the next. */
  readonly tally: Float64Array
  readonly #fitting: Fitting
  readonly #counter: AccessCounter
  readonly #prices: Prices
  readonly #clock: CycleCounter
  readonly #systolic: Hardware['systolic']
  readonly #extents: Float64Array
  readonly #forwards: boolean
  /** Energy and cycles: an array, since a number in a field would be a new object each time. */
  readonly #result = new Float64Array(2)

  /** @throws OptionError where prices cannot be had (see `pricesOf`) */
  constructor(problem: Problem, hardware: Hardware, { halo = 'exact', convention }: ScorerOptions = {}) {
    this.#fitting = new Fitting(problem, hardware)
    this.#counter = new AccessCounter(problem, hardware, halo)
    this.#prices = pricesOf(hardware, convention)
    this.#clock = new CycleCounter(hardware)
    this.#systolic = hardware.systolic
    this.#extents = Float64Array.from(DIMENSIONS, (dimension) => extentOf(problem, dimension))
    this.#forwards = halo !== 'timeloop'
    this.tally = this.#counter.tally
  }

  /** Energy of the last legal mapping scored, in the hardware's unit. */
  get energy(): number {
    return this.#result[0] ?? 0
  }

  /** Cycles of the last legal mapping scored. */
  get cycles(): number {
    return this.#result[1] ?? 0
  }

  /**
   * Whether a mapping is legal: bounds cover the problem, splits fit their fan-outs, kept tiles fit their levels.
   * @throws OptionError where the code itself is not in order
   */
  fits(code: MappingCode): boolean {
    if (!this.#forwards && code.forward.some((axis) => axis !== 0)) return false
    return this.#fitting.fits(code)
  }

  /**
   * Counts, energy and cycles of a mapping; false (energy and cycles as they were) where it is not legal, or has more states than
   * can be counted (which `evaluate` refuses by name).
   */
  score(code: MappingCode): boolean {
    if (!this.fits(code)) return false
    const counter = this.#counter
    try {
      counter.count(code)
    } catch (error) {
      if (error instanceof MappingError) return false
      throw error
    }
    this.#result[0] = energyOf(this.#prices, counter.tally, counter.macs)
    const folds = this.#systolic === undefined ? 0 : foldsOf(code, this.#extents, this.#systolic)
    this.#result[1] = this.#clock.cycles(counter.tally, counter.steps, counter.instances, folds)
    return true
  }
}
