/** Scores candidates by an objective and remembers the best. Allocates nothing per candidate. */
import { Scorer, type ScorerOptions } from '../../cost/scorer.ts'
import { OptionError } from '../../errors.ts'
import type { Dataflow } from '../dataflow.ts'
import { emptyCode, type MappingCode } from '../code.ts'
import { Candidate } from './candidate.ts'
import { Space } from './space.ts'

export const OBJECTIVES = ['energy', 'edp', 'latency'] as const
export type Objective = (typeof OBJECTIVES)[number]

export class Judge {
  readonly best: Candidate
  /** Legal mappings that were evaluated. */
  seen = 0
  /** Candidates refused before evaluation: their tiles fit nowhere. */
  pruned = 0
  readonly #scorer: Scorer
  readonly #options: ScorerOptions
  readonly #parent: Judge | undefined
  readonly #objective: Objective
  readonly #code: MappingCode
  #primary = Infinity
  #secondary = Infinity

  /** @throws OptionError for an unknown objective */
  constructor(space: Space, objective: Objective, options: ScorerOptions, parent?: Judge) {
    if (!OBJECTIVES.includes(objective)) {
      throw new OptionError(`There is no objective called "${String(objective)}"`, { remedy: 'Choose energy, edp or latency' })
    }
    this.#scorer = new Scorer(space.problem, space.hardware, options)
    this.#options = options
    this.#parent = parent
    this.#objective = objective
    this.#code = emptyCode(space.rules.length)
    this.best = new Candidate(space)
  }

  /** A judge of the same problem under another constraint; what it sees counts here too. */
  under(dataflow: Dataflow): Judge {
    const { problem, hardware } = this.best.space
    const space = new Space(problem, hardware, dataflow, this.#options.halo)
    return new Judge(space, this.#objective, this.#options, this)
  }

  get found(): boolean {
    return this.#primary < Infinity
  }

  /** The best objective so far: energy, energy × cycles, or cycles. */
  get value(): number {
    return this.#primary
  }

  fits(candidate: Candidate): boolean {
    candidate.write(this.#code)
    return this.#scorer.fits(this.#code)
  }

  /**
   * The logarithm of a candidate's objective, a trace of the other figure added so that searches feel ties; Infinity where it is
   * not legal. Of equals the first stays the best.
   */
  score(candidate: Candidate): number {
    const scorer = this.#scorer
    if (candidate.isWhole) candidate.write(this.#code)
    if (!candidate.isWhole || !scorer.score(this.#code)) {
      this.pruned++
      if (this.#parent !== undefined) this.#parent.pruned++
      return Infinity
    }
    this.seen++
    if (this.#parent !== undefined) this.#parent.seen++
    const { energy, cycles } = scorer
    const primary = this.#objective === 'energy' ? energy : this.#objective === 'edp' ? energy * cycles : cycles
    const secondary = this.#objective === 'energy' ? cycles : energy
    if (primary < this.#primary || (primary === this.#primary && secondary < this.#secondary)) {
      this.#primary = primary
      this.#secondary = secondary
      this.best.copy(candidate)
    }
    return Math.log(primary) + TRACE * Math.log(secondary)
  }
}

const TRACE = 1e-4
