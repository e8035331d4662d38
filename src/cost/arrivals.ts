/**
 * Words that arrive at the children of a link, in closed form. Think of every step as "each child drops its old tile for its new one":
 * what arrives is new minus old, the parent serves the union of what arrives at children that share a read, and a step's old tile depends
 * only on which loop just advanced.
 *
 * For tiles that are products over dimensions, |∪ (new − old)| = Π |∪ new| − Π |held|, where `held` are the words that every child
 * which needs them had; both factor over dimensions, and so do their sums over all steps in which the same loop advanced. So
 *   arrivals = Π_d (words of all steps) − Σ_loops Π_d (held when that loop advances).
 * Only input rows and columns need sets (p with r, q with s: see `sliding.ts`); other dimensions are counted as digits
 * (`loops.ts`). A child whose step has no point (a ragged edge) waits with what it holds.
 */
import type { MappingCode } from '../schedule/code.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { DIMENSIONS, OPERANDS, extentOf, isRelevant, macsOf, type Problem } from '../schedule/problem.ts'
import { NO_WINDOW, PAIRS, inputGeometry, type Halo } from './geometry.ts'
import { Lines } from './lines.ts'
import { Chains } from './loops.ts'
import { Nest } from './nest.ts'
import { Windows } from './sliding.ts'

const DEPTH = DIMENSIONS.length
const OUTPUTS = OPERANDS.indexOf('outputs')
const INPUTS = OPERANDS.indexOf('inputs')
/** How an operand depends on a dimension. */
const REUSED = 0
const OWN = 1
const SLIDING = 2

export interface ArrivalOptions {
  /** Of inputs only what is not zero padding. */
  readonly real?: boolean
  /** Digit chains remembered between mappings (see `loops.ts`). */
  readonly mostChains?: number
}

/** Arrivals at the children of one link after another, of one mapping after another. */
export class Arrivals {
  readonly macs: number
  /** The mapping that was read last. */
  readonly nest: Nest
  readonly #extents: readonly number[]
  /** By dimension, the coordinates counted where they are an operand's own. */
  readonly #sizes: Float64Array
  readonly #isTimeloop: boolean
  readonly #isReal: boolean
  readonly #chains: Chains
  readonly #lines: Lines
  readonly #windows: readonly [Windows, Windows]
  readonly #forwardWindow: Windows
  /** By operand × dimension. */
  readonly #kind: Uint8Array
  // The sum being made: by dimension, temporal loops outside the one that advances, and the words held or steps taken.
  readonly #inside = new Int32Array(DEPTH)
  readonly #value = new Float64Array(DEPTH)
  /** By pair: its rows (columns) when a loop of another dimension advances, NaN where not yet counted. */
  readonly #rows = new Float64Array(2)

  constructor(problem: Problem, hardware: Hardware, halo: Halo, { real = false, mostChains }: ArrivalOptions) {
    const multicast = hardware.levels.map((level) => level.multicast ?? true)
    this.macs = macsOf(problem)
    this.#isTimeloop = halo === 'timeloop'
    this.#isReal = real
    this.#extents = DIMENSIONS.map((dimension) => extentOf(problem, dimension))
    const { ranges, windows } = inputGeometry(problem, halo, real)
    this.#kind = Uint8Array.from(
      OPERANDS.flatMap((operand) => DIMENSIONS.map((dimension) => (isRelevant(operand, dimension) ? OWN : REUSED))),
    )
    for (const [pair, dimensions] of PAIRS.entries()) {
      if (windows[pair] === undefined) continue
      for (const dimension of dimensions) this.#kind[INPUTS * DEPTH + dimension] = SLIDING
    }
    this.#sizes = Float64Array.from(ranges, ([from, to]) => Math.max(0, to - from))
    this.#chains = new Chains(this.#extents, multicast, ranges, mostChains)
    this.nest = new Nest(
      this.#chains,
      hardware.levels.length,
      real,
      (dimension) => this.#kind[INPUTS * DEPTH + dimension] !== SLIDING,
    )
    this.#lines = new Lines(this.#chains, { isPlaced: real, isBoxes: this.#isTimeloop })
    const [vertical = NO_WINDOW, horizontal = NO_WINDOW] = windows
    const first = new Windows(vertical, this.#lines)
    const isSame = !real && vertical.outer === horizontal.outer && vertical.inner === horizontal.inner
    this.#windows = [first, isSame ? first : new Windows(horizontal, this.#lines)]
    this.#forwardWindow = new Windows(NO_WINDOW, this.#lines)
  }

  /** The mapping that is asked about from now on. */
  read(code: MappingCode): void {
    if (this.#chains.isFull || this.#lines.isFull || this.#windows.some((window) => window.isFull)) this.#forget()
    this.nest.read(code)
  }

  #forget(): void {
    this.#chains.clear()
    this.#lines.clear()
    for (const window of this.#windows) window.clear()
    this.#forwardWindow.clear()
  }

  /** Steps of all loops outside a level, of the spatial ones only those that a slot does not share. */
  trips(child: number, shared: number, regardless: boolean): number {
    const slot = this.#chains.slotOf(child, shared, regardless)
    let trips = 1
    for (let i = 0; i < this.nest.actives; i++) {
      const dimension = this.nest.active[i] ?? 0
      const times = this.nest.timesOf(dimension, child)
      const start = this.#chains.free(this.nest.chain[dimension] ?? 0, slot)
      trips *= this.#chains.values[start + times] ?? 1
    }
    return trips
  }

  /** Instances of a level that ever work. */
  parts(level: number): number {
    const slot = this.#chains.slotOf(level, level, false)
    let parts = 1
    for (let i = 0; i < this.nest.actives; i++) {
      const start = this.#chains.free(this.nest.chain[this.nest.active[i] ?? 0] ?? 0, slot)
      parts *= this.#chains.values[start] ?? 1
    }
    return parts
  }

  /** Outputs that a level ever holds, summed over its instances (those that reduce one output each hold it). */
  outputs(level: number): number {
    const slot = this.#chains.slotOf(level, level, false)
    let words = 1
    for (let i = 0; i < this.nest.actives; i++) {
      const dimension = this.nest.active[i] ?? 0
      if (this.#kind[OUTPUTS * DEPTH + dimension] === OWN) {
        words *= this.#extents[dimension] ?? 1
        continue
      }
      const start = this.#chains.free(this.nest.chain[dimension] ?? 0, slot)
      words *= this.#chains.values[start] ?? 1
    }
    return words
  }

  /** Words that arrive at the children, less those that a neighbour hands over; what a slot shares is counted once. */
  arrivals(operand: number, child: number, shared: number, regardless: boolean, isHeld: boolean, isForwarded: boolean): number {
    // Every MAC takes a word at every step.
    if (!isHeld && !isForwarded && shared === child && !this.#isReal) return this.macs
    const slot = this.#chains.slotOf(child, shared, regardless)
    const all = this.#begin(operand, child, slot)
    return isHeld || isForwarded ? all - this.#held(operand, child, slot, isHeld, isForwarded) : all
  }

  /** Words that a child gets from a neighbour instead of its parent. */
  handed(operand: number, child: number, isHeld: boolean): number {
    const slot = this.#chains.slotOf(child, child, false)
    this.#begin(operand, child, slot)
    const withNeighbours = this.#held(operand, child, slot, isHeld, true)
    if (!isHeld) return withNeighbours
    this.#begin(operand, child, slot)
    return withNeighbours - this.#held(operand, child, slot, true, false)
  }

  /** Starts a sum over steps: all loops still outside the one that advances. Returns the words of all steps. */
  #begin(operand: number, child: number, slot: number): number {
    const chains = this.#chains
    let words = 1
    for (let i = 0; i < this.nest.actives; i++) {
      const dimension = this.nest.active[i] ?? 0
      const times = this.nest.timesOf(dimension, child)
      this.#inside[dimension] = times
      const kind = this.#kind[operand * DEPTH + dimension]
      if (kind === OWN) words *= this.#value[dimension] = this.#sizes[dimension] ?? 1
      else if (kind === REUSED) {
        const start = chains.free(this.nest.chain[dimension] ?? 0, slot)
        words *= this.#value[dimension] = chains.values[start + times] ?? 1
      }
    }
    if (operand !== INPUTS) return words
    this.#rows.fill(NaN)
    return words * this.#rowsHeld(0, child, slot) * this.#rowsHeld(1, child, slot)
  }

  /** Σ over the loops that advance of the words held. */
  #held(operand: number, child: number, slot: number, isHeld: boolean, isForwarded: boolean): number {
    const chains = this.#chains
    let sum = 0
    for (let at = (this.nest.outside[child] ?? 0) - 1; at >= 0; at--) {
      const advancing = this.nest.time[at] ?? 0
      const kind = this.#kind[operand * DEPTH + advancing]
      const chain = this.nest.chain[advancing] ?? 0
      const times = this.#inside[advancing] ?? 0
      const isCredited = !this.#isTimeloop || operand !== INPUTS || this.#isCredited(at, child, kind !== REUSED)
      if (kind === OWN) {
        const start = chains.own(chain, child)
        const left = chains.values[start + times - 1] ?? 0
        this.#inside[advancing] = times - 1
        this.#value[advancing] = left
        if (left === 0) break
      } else if (kind === REUSED) {
        const before = chains.values[chains.free(chain, slot) + times - 1] ?? 0
        const steps = (this.#value[advancing] ?? 0) - before
        this.#value[advancing] = steps
        if (steps !== 0 && isCredited) sum += this.#product(operand, child, slot, -1, advancing, isHeld, isForwarded)
        this.#inside[advancing] = times - 1
        this.#value[advancing] = before
      } else {
        if (isCredited) sum += this.#product(operand, child, slot, advancing, advancing, isHeld, isForwarded)
        this.#inside[advancing] = times - 1
        this.#rows[advancing === PAIRS[0][0] || advancing === PAIRS[0][1] ? 0 : 1] = NaN
      }
      if (this.#isTimeloop && operand === INPUTS && kind !== REUSED) break
    }
    return sum
  }

  /**
   * Timeloop's state survives a step only where the direction of movement stays: nothing inside the advancing loop moved the
   * inputs (the sum ends there), and a sliding loop is the innermost of its level.
   */
  #isCredited(at: number, child: number, moves: boolean): boolean {
    const isInnermost = at === (this.nest.outside[child] ?? 0) - 1 || this.nest.timeLevel[at + 1] !== this.nest.timeLevel[at]
    return !moves || isInnermost
  }

  /** Words held when a loop of `advancing` advances (`sliding`: the same, where it moves rows or columns; else −1). */
  #product(
    operand: number,
    child: number,
    slot: number,
    sliding: number,
    advancing: number,
    isHeld: boolean,
    isForwarded: boolean,
  ): number {
    const { dimension: along } = this.nest.forwarding
    const dimensions = operand === INPUTS ? this.nest.single : this.nest.active
    const count = operand === INPUTS ? this.nest.singles : this.nest.actives
    let words = 1
    for (let i = 0; i < count; i++) {
      const dimension = dimensions[i] ?? 0
      if (isForwarded && !isHeld && dimension === along) {
        if (this.#kind[operand * DEPTH + dimension] === OWN) return 0
        words *= this.#neighbours(dimension, child, slot, dimension === advancing)
      } else words *= this.#value[dimension] ?? 1
      if (words === 0) return 0
    }
    if (operand !== INPUTS) return words
    for (let pair = 0; pair < 2 && words !== 0; pair++) {
      const outer = PAIRS[pair === 0 ? 0 : 1][0]
      const inner = PAIRS[pair === 0 ? 0 : 1][1]
      if (isForwarded && (along === outer || along === inner)) words *= this.#forwardedRows(pair, child, slot, sliding, isHeld)
      else if (sliding === outer || sliding === inner) words *= this.#slidingRows(pair, child, slot, sliding)
      else words *= this.#rowsHeld(pair, child, slot)
    }
    return words
  }

  /** Rows (columns) of a pair held when a loop of another dimension advances. */
  #rowsHeld(pair: number, child: number, slot: number): number {
    const known = this.#rows[pair] ?? NaN
    if (known === known) return known
    return (this.#rows[pair] = this.#slidingRows(pair, child, slot, -1))
  }

  /** Rows (or columns) of a pair that its children held when `advancing` advances; 1 where the pair is counted as single dimensions. */
  #slidingRows(pair: number, child: number, slot: number, advancing: number): number {
    const outer = pair === 0 ? PAIRS[0][0] : PAIRS[1][0]
    const inner = pair === 0 ? PAIRS[0][1] : PAIRS[1][1]
    if (this.#kind[INPUTS * DEPTH + outer] !== SLIDING) return 1
    const lines = this.#lines
    const first = lines.stateOf(
      this.nest.chain[outer] ?? 0,
      slot,
      this.nest.timesOf(outer, child),
      this.#state(outer, child, advancing),
    )
    const second = lines.stateOf(
      this.nest.chain[inner] ?? 0,
      slot,
      this.nest.timesOf(inner, child),
      this.#state(inner, child, advancing),
    )
    const count = (lines.counts[first] ?? 0) * (lines.counts[second] ?? 0)
    if (count === 0) return 0
    return count * this.#windows[pair === 0 ? 0 : 1].held(lines.lists[first] ?? 0, lines.lists[second] ?? 0, true)
  }

  /** The state of a dimension's line, see `Lines.stateOf`. */
  #state(dimension: number, child: number, advancing: number): number {
    const inside = this.#insideOf(dimension)
    return dimension === advancing ? this.nest.timesOf(dimension, child) + inside : inside
  }

  #insideOf(dimension: number): number {
    return this.nest.chain[dimension] === dimension ? 0 : (this.#inside[dimension] ?? 0)
  }

  /** The same where neighbours along one of the pair's dimensions hand over what they held. */
  #forwardedRows(pair: number, child: number, slot: number, advancing: number, isHeld: boolean): number {
    const [outer, inner] = PAIRS[pair === 0 ? 0 : 1]
    if (this.#kind[INPUTS * DEPTH + outer] !== SLIDING) return 1
    const first = this.#lineAlong(outer, child, slot, this.#state(outer, child, advancing))
    const second = this.#lineAlong(inner, child, slot, this.#state(inner, child, advancing))
    const { counts, lists } = this.#lines
    const count = (counts[first] ?? 0) * (counts[second] ?? 0)
    if (count === 0) return 0
    return count * this.#windows[pair === 0 ? 0 : 1].held(lists[first] ?? 0, lists[second] ?? 0, isHeld)
  }

  #lineAlong(dimension: number, child: number, slot: number, state: number): number {
    const chain = this.nest.chain[dimension] ?? 0
    const times = this.nest.timesOf(dimension, child)
    const { level, axis, dimension: along } = this.nest.forwarding
    return dimension === along
      ? this.#lines.forwardedStateOf(chain, slot, times, state, 3 * level + axis)
      : this.#lines.stateOf(chain, slot, times, state)
  }

  /** Forwarding to MACs along a dimension that the operand does not depend on: children whose neighbour works too. */
  #neighbours(dimension: number, child: number, slot: number, isAdvancing: boolean): number {
    const times = this.nest.timesOf(dimension, child)
    const inside = this.#inside[dimension] ?? 0
    const line = this.#lineAlong(dimension, child, slot, isAdvancing ? times + inside : inside)
    // A line of one word that all children need: any empty chain is one.
    const empty = this.#lines.stateOf(0, slot, 0, 0)
    const { counts, lists } = this.#lines
    return (counts[line] ?? 0) * (counts[empty] ?? 0) * this.#forwardWindow.held(lists[line] ?? 0, lists[empty] ?? 0, false)
  }
}
