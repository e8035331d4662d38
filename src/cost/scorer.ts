/**
 * Energy and cycles of one mapping code after another, for searches. Think of it as the till of a shop: the same prices and the
 * same sums as `evaluate` writes on its bill, without printing one.
 */
import { MappingError } from '../errors.ts'
import { checkMapping } from '../schedule/check.ts'
import { decode, type MappingCode } from '../schedule/code.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { OPERANDS, type Problem } from '../schedule/problem.ts'
import { evaluate, type EvaluateOptions } from './evaluate.ts'
import { FILLS, HOPS, READS, UPDATES, cell, tallyLength } from './tally.ts'

export interface ScorerOptions extends EvaluateOptions {
  readonly convention?: 'tilewright' | 'isca16'
}

export class Scorer {
  readonly #problem: Problem
  readonly #hardware: Hardware
  readonly #options: ScorerOptions
  /** Counts of the last mapping scored, laid out as `tally.ts` says; overwritten by the next. */
  readonly tally: Float64Array
  #energy = 0
  #cycles = 0

  constructor(problem: Problem, hardware: Hardware, options: ScorerOptions = {}) {
    this.#problem = problem
    this.#hardware = hardware
    this.#options = options
    this.tally = new Float64Array(tallyLength(hardware.levels.length))
  }

  /** Energy of the last legal mapping scored, in the hardware's unit. */
  get energy(): number {
    return this.#energy
  }

  get cycles(): number {
    return this.#cycles
  }

  /** Whether the mapping is legal: bounds cover the problem, splits fit their fan-outs, kept tiles fit their levels. */
  fits(code: MappingCode): boolean {
    try {
      checkMapping(this.#problem, this.#hardware, decode(code, this.#hardware))
      return true
    } catch (error) {
      if (error instanceof MappingError) return false
      throw error
    }
  }

  /** Counts, energy and cycles of a mapping; false where it is not legal. */
  score(code: MappingCode): boolean {
    if (!this.fits(code)) return false
    const { accesses, network, energy, cycles } = evaluate(
      this.#problem,
      this.#hardware,
      decode(code, this.#hardware),
      this.#options,
    )
    this.tally.fill(0)
    for (const [level, { name }] of this.#hardware.levels.entries()) {
      for (const [index, operand] of OPERANDS.entries()) {
        const counts = accesses[name]?.[operand]
        this.tally[cell(level, index, READS)] = counts?.reads ?? 0
        this.tally[cell(level, index, FILLS)] = counts?.fills ?? 0
        this.tally[cell(level, index, UPDATES)] = counts?.updates ?? 0
        if (level === Math.max(0, this.#hardware.levels.length - 2)) this.tally[cell(level, index, HOPS)] = network.hops[operand]
      }
    }
    this.#energy = energy.total
    this.#cycles = cycles
    return true
  }
}
