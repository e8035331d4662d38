/**
 * The loops of the mapping being counted, sorted for counting: the chain of each dimension, and the temporal loops in order. Think
 * of it as the score opened on the stand; it is overwritten by the next.
 */
import { LARGEST_CODE, type MappingCode } from '../schedule/code.ts'
import { DIMENSIONS, OPERANDS } from '../schedule/problem.ts'
import type { Chains } from './loops.ts'

const DEPTH = DIMENSIONS.length

export class Nest {
  /** By dimension: its chain of digits (`loops.ts`). */
  readonly chain = new Int32Array(DEPTH)
  /** Dimensions with loops, and how many; of these, those of inputs that do not slide. */
  readonly active = new Int32Array(DEPTH)
  actives = 0
  readonly single = new Int32Array(DEPTH)
  singles = 0
  /** Dimension and level of the temporal loops, outermost first; by level, how many lie outside it. */
  readonly time = new Int32Array(LARGEST_CODE)
  readonly timeLevel = new Int32Array(LARGEST_CODE)
  readonly outside: Int32Array
  /** By level: whether its fan-out is split. */
  readonly split: Uint8Array
  /** Where `findForwarding` found the loop whose neighbours hand words over. */
  readonly forwarding = { level: -1, axis: 0, dimension: -1 }
  readonly #chains: Chains
  readonly #side: number
  readonly #isReal: boolean
  readonly #isSingle: readonly boolean[]
  /** By dimension × level: temporal loops of the dimension outside the level. */
  readonly #times: Int32Array
  #code: MappingCode | undefined

  /**
   * @param isReal whether all dimensions count as active: of those without loops, too, some coordinates may be padding
   * @param isSingle whether input coordinates along a dimension need no sliding windows
   */
  constructor(chains: Chains, levels: number, isReal: boolean, isSingle: (dimension: number) => boolean) {
    this.#chains = chains
    this.#side = levels + 1
    this.#isReal = isReal
    this.#isSingle = DIMENSIONS.map((_, dimension) => isSingle(dimension))
    this.outside = new Int32Array(levels + 1)
    this.split = new Uint8Array(levels)
    this.#times = new Int32Array(DEPTH * this.#side)
  }

  read(code: MappingCode): void {
    this.#code = code
    const { chain, outside } = this
    const times = this.#times
    for (let dimension = 0; dimension < DEPTH; dimension++) chain[dimension] = dimension
    times.fill(0)
    outside.fill(0)
    this.split.fill(0)
    let steps = 0
    for (let at = 0; at < code.length; at++) {
      const bound = code.bound[at] ?? 1
      if (bound === 1) continue
      const dimension = code.dimension[at] ?? 0
      const level = code.level[at] ?? 0
      const axis = code.axis[at] ?? 0
      chain[dimension] = this.#chains.extend(chain[dimension] ?? 0, bound, level, axis)
      if (axis !== 0) {
        this.split[level] = 1
        continue
      }
      this.time[steps] = dimension
      this.timeLevel[steps] = level
      steps++
      for (let inner = level + 1; inner < this.#side; inner++) {
        const slot = dimension * this.#side + inner
        times[slot] = (times[slot] ?? 0) + 1
        outside[inner] = steps
      }
    }
    this.actives = 0
    this.singles = 0
    for (let dimension = 0; dimension < DEPTH; dimension++) {
      if (!this.#isReal && chain[dimension] === dimension) continue
      this.active[this.actives++] = dimension
      if (this.#isSingle[dimension] === true) this.single[this.singles++] = dimension
    }
  }

  /** Temporal loops of a dimension outside a level. */
  timesOf(dimension: number, level: number): number {
    return this.#times[dimension * this.#side + level] ?? 0
  }

  /** Whether any fan-out from `parent` down to `child` is split. */
  isSplit(parent: number, child: number): boolean {
    for (let level = parent; level < child; level++) if (this.split[level] !== 0) return true
    return false
  }

  /** Looks for the innermost loop of the axis along which a level between parent and child forwards the operand. */
  findForwarding(operand: number, parent: number, child: number): boolean {
    const code = this.#code
    if (code === undefined) return false
    for (let level = parent; level < child; level++) {
      const axis = code.forward[OPERANDS.length * level + operand] ?? 0
      if (axis === 0) continue
      for (let at = code.length - 1; at >= 0; at--) {
        if (code.level[at] !== level || code.axis[at] !== axis || code.bound[at] === 1) continue
        this.forwarding.level = level
        this.forwarding.axis = axis
        this.forwarding.dimension = code.dimension[at] ?? 0
        return true
      }
      return false
    }
    return false
  }
}
