/**
 * Whether a mapping code is legal, as fast as a search can ask. Think of a turnstile beside the fitting room of `check.ts`: the
 * same yes or no, and no explanation; tests hold the two equal.
 */
import { OptionError } from '../errors.ts'
import { AXES, LARGEST_CODE, type MappingCode } from './code.ts'
import { LARGEST_BOUND, reach, roomOf } from './check.ts'
import { fanoutOf, wordsPerValue, type Hardware } from './hardware.ts'
import { DIMENSIONS, OPERANDS, extentOf, type Problem } from './problem.ts'

const [G, N, M, C, P, Q, R, S] = [0, 1, 2, 3, 4, 5, 6, 7] as const

export class Fitting {
  readonly #levels: number
  readonly #extents: Float64Array
  readonly #stride: readonly [number, number]
  readonly #dilation: readonly [number, number]
  /** By level: instances below one, words that fit one, operands (bits) that it holds. */
  readonly #fanout: Float64Array
  readonly #room: Float64Array
  readonly #holds: Uint8Array
  /** Words that a value takes, by level × operand. */
  readonly #width: Float64Array
  readonly #lengths = new Float64Array(DIMENSIONS.length)

  constructor(problem: Problem, hardware: Hardware) {
    const { levels } = hardware
    this.#levels = levels.length
    this.#extents = Float64Array.from(DIMENSIONS, (dimension) => extentOf(problem, dimension))
    this.#stride = problem.stride
    this.#dilation = problem.dilation
    this.#fanout = Float64Array.from(levels, (_, level) => fanoutOf(hardware, level).x * fanoutOf(hardware, level).y)
    this.#room = Float64Array.from(levels, (_, level) => roomOf(hardware, level))
    this.#holds = Uint8Array.from(levels, ({ holds = OPERANDS }, level) =>
      OPERANDS.reduce((bits, operand, index) => (level === 0 || holds.includes(operand) ? bits | (1 << index) : bits), 0),
    )
    this.#width = Float64Array.from(
      levels.flatMap((_, level) => OPERANDS.map((operand) => (level === 0 ? 1 : wordsPerValue(hardware, level, operand)))),
    )
  }

  /**
   * Bounds cover the problem, splits fit their fan-outs, kept tiles fit their levels, levels hold what is kept.
   * @throws OptionError where loops do not run from the outermost level in, or there are more than a code holds
   */
  fits(code: MappingCode): boolean {
    const lengths = this.#lengths.fill(1)
    if (code.length > LARGEST_CODE) throw new OptionError(`A code has ${code.length} loops`, { limit: `${LARGEST_CODE} loops` })
    let at = code.length - 1
    let place = Infinity
    for (let level = this.#levels - 1; level >= 0; level--) {
      let split = 1
      for (; at >= 0 && code.level[at] === level; at--) {
        const bound = code.bound[at] ?? 0
        const axis = code.axis[at] ?? 0
        const dimension = code.dimension[at] ?? 0
        if (!(bound >= 1 && bound <= LARGEST_BOUND) || Math.floor(bound) !== bound || dimension >= DIMENSIONS.length) return false
        if (axis >= AXES.length || 3 * level + axis > place) return outOfOrder(at)
        place = 3 * level + axis
        lengths[dimension] = (lengths[dimension] ?? 1) * bound
        if (axis !== 0) split *= bound
      }
      if (split > (this.#fanout[level] ?? 1)) return false
      if (level > 0 && !this.#holdsTile(code.keep[level] ?? 0, level)) return false
    }
    if (at >= 0) return outOfOrder(at)
    for (let dimension = 0; dimension < DIMENSIONS.length; dimension++) {
      const length = lengths[dimension] ?? 1
      if (length < (this.#extents[dimension] ?? 1) || length > Number.MAX_SAFE_INTEGER) return false
    }
    return this.#forwardsOnce(code)
  }

  #holdsTile(keep: number, level: number): boolean {
    if ((keep & 7 & ~(this.#holds[level] ?? 7)) !== 0) return false
    const room = this.#room[level] ?? Infinity
    if (room === Infinity || (keep & 7) === 0) return true
    const width = this.#width
    let words = 0
    if ((keep & 1) !== 0) {
      words += (width[3 * level] ?? 1) * this.#length(G) * this.#length(M) * this.#length(C) * this.#length(R) * this.#length(S)
    }
    if ((keep & 2) !== 0) {
      const rows = reach(this.#length(P), this.#stride[0], this.#length(R), this.#dilation[0])
      const columns = reach(this.#length(Q), this.#stride[1], this.#length(S), this.#dilation[1])
      words += (width[3 * level + 1] ?? 1) * this.#length(G) * this.#length(N) * this.#length(C) * rows * columns
    }
    if ((keep & 4) !== 0) {
      words += (width[3 * level + 2] ?? 1) * this.#length(G) * this.#length(N) * this.#length(M) * this.#length(P) * this.#length(Q)
    }
    return words <= room
  }

  #length(dimension: number): number {
    return Math.min(this.#lengths[dimension] ?? 1, this.#extents[dimension] ?? 1)
  }

  /** No operand is forwarded at two levels with none between them that keeps it. */
  #forwardsOnce(code: MappingCode): boolean {
    for (let operand = 0; operand < OPERANDS.length; operand++) {
      let isForwarded = false
      for (let level = 0; level < this.#levels; level++) {
        if (level === 0 || ((code.keep[level] ?? 0) & (1 << operand)) !== 0) isForwarded = false
        if ((code.forward[3 * level + operand] ?? 0) === 0) continue
        if (isForwarded) return false
        isForwarded = true
      }
    }
    return true
  }
}

function outOfOrder(at: number): never {
  throw new OptionError(`Loop ${at} of the code is out of order, or of a level that the hardware has not`, {
    remedy: 'Loops run from the outermost level in, at each level temporal ones, then x, then y',
  })
}
