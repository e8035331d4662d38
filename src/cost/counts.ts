/**
 * Words that one storage level (the parent) exchanges with the next one that keeps the operand (the child), or with the MACs, in
 * closed form. Think of every step as "each child drops its old tile for its new one": what arrives is new minus old, the parent
 * serves the union of what arrives at children that share a read, and a step's old tile depends only on which loop just advanced.
 *
 * For tiles that are products over dimensions, |∪ (new − old)| = Π |∪ new| − Π |held|, where `held` are the words that every child
 * which needs them had; both factor over dimensions, and so do their sums over all steps in which the same loop advanced. So
 *   arrivals = Π_d (words of all steps) − Σ_loops Π_d (held when that loop advances).
 * Only input rows and columns need sets (p with r, q with s: see `sliding.ts`); other dimensions are counted as digits. A child
 * whose step has no point (a ragged edge) waits with what it holds.
 */
import { DIMENSIONS, RELEVANT, type Dimension, type Operand } from '../schedule/problem.ts'
import { countBelow, tileLength, type Digit, type Nest } from './loops.ts'
import { countWindow, type Line, type Role, type Window } from './sliding.ts'

export type Halo = 'exact' | 'timeloop'

/** Which children one word is counted for once. */
export type Share =
  /** All that the fan-out serves with one read. */
  | 'multicast'
  /** All below one parent, whether or not the fan-out multicasts. */
  | 'parent'
  /** None: every child's words. */
  | 'none'

/** From `parent` down to `child`; a child of the mapping's depth is the MACs, which hold nothing from step to step. */
export interface Edge {
  readonly operand: Operand
  readonly parent: number
  readonly child: number
}

export interface Arrivals {
  readonly words: number
  /** Of `words`, those that are not zero padding. */
  readonly real: number
}

/** A factor of the product: what one dimension, or a pair of them, contributes when `at` advances (absent: all steps). */
type Factor = (at: Digit | undefined, forward: boolean) => Arrivals

export class EdgeCounter {
  readonly #nest: Nest
  readonly #edge: Edge
  readonly #halo: Halo
  readonly #cache: Map<string, Arrivals>
  readonly #resident: boolean
  /** Temporal loops between which the child's tile changes, outermost first. */
  readonly #steps: readonly Digit[]
  readonly #forward: Digit | undefined

  /** @param cache window counts of the same problem and halo, kept between mappings */
  constructor(nest: Nest, edge: Edge, halo: Halo, cache: Map<string, Arrivals>) {
    this.#nest = nest
    this.#edge = edge
    this.#halo = halo
    this.#cache = cache
    this.#resident = edge.child < nest.depth
    this.#steps = nest.digits.filter(({ axis, level }) => axis === 'temporal' && level < edge.child)
    this.#forward = this.#forwardDigit()
  }

  /** Words that arrive at the children, less those that a neighbour hands over. */
  arrivals(share: Share): Arrivals {
    const factors = this.#factors(share)
    const all = product(factors, undefined, false)
    let { words, real } = all
    const isForwarded = this.#forward !== undefined
    if (!this.#resident && !isForwarded) return all
    for (const at of this.#steps) {
      if (this.#halo === 'timeloop' && !this.#timeloopCredits(at)) continue
      const held = product(factors, at, isForwarded)
      words -= held.words
      real -= held.real
    }
    return { words, real }
  }

  /** Words that a child gets from a neighbour instead of its parent. */
  handed(): Arrivals {
    if (this.#forward === undefined) return { words: 0, real: 0 }
    const factors = this.#factors('none')
    let words = 0
    let real = 0
    for (const at of this.#steps) {
      const withNeighbours = product(factors, at, true)
      const own = this.#resident ? product(factors, at, false) : { words: 0, real: 0 }
      words += withNeighbours.words - own.words
      real += withNeighbours.real - own.real
    }
    return { words, real }
  }

  /** The innermost loop of the axis along which a level between parent and child forwards the operand. */
  #forwardDigit(): Digit | undefined {
    for (let level = this.#edge.parent; level < this.#edge.child; level++) {
      const axis = this.#nest.mapping.levels[level]?.forward?.[this.#edge.operand]
      if (axis === undefined) continue
      return this.#nest.digits.findLast((digit) => digit.level === level && digit.axis === axis)
    }
    return undefined
  }

  #factors(share: Share): Factor[] {
    const isInput = this.#edge.operand === 'inputs'
    const { problem } = this.#nest
    const factors: Factor[] = []
    const singles: readonly Dimension[] = isInput ? ['G', 'N', 'M', 'C'] : DIMENSIONS
    for (const name of singles) factors.push(this.#single(DIMENSIONS.indexOf(name), share))
    if (isInput) {
      const rows = (problem.P - 1) * problem.stride[0] + (problem.R - 1) * problem.dilation[0] + 1
      const columns = (problem.Q - 1) * problem.stride[1] + (problem.S - 1) * problem.dilation[1] + 1
      const [top, left, bottom, right] = problem.padding
      factors.push(...this.#pair('P', 'R', problem.stride[0], problem.dilation[0], [top, rows - bottom], share))
      factors.push(...this.#pair('Q', 'S', problem.stride[1], problem.dilation[1], [left, columns - right], share))
    }
    return factors
  }

  #roles(dimension: number, share: Share): Role[] {
    return (this.#nest.byDimension[dimension] ?? []).map(({ level, axis }) => {
      if (level >= this.#edge.child) return 'tile'
      if (axis === 'temporal' || level < this.#edge.parent || share === 'none') return 'free'
      return share === 'parent' || this.#nest.multicast[level] === true ? 'child' : 'free'
    })
  }

  /** A dimension that stands alone. */
  #single(dimension: number, share: Share): Factor {
    const name = DIMENSIONS[dimension] ?? 'N'
    if (RELEVANT[this.#edge.operand].includes(name)) {
      return this.#relevant(dimension, 1, [0, this.#nest.extents[dimension] ?? 1])
    }
    const extent = this.#nest.extents[dimension] ?? 1
    const digits = this.#nest.byDimension[dimension] ?? []
    const roles = this.#roles(dimension, share)
    const caps = (inside: number, cap?: Digit, to = 1): number[] =>
      digits.map((digit, i) => {
        if (digit === cap) return to
        if (roles[i] !== 'free') return 1
        return digit.axis === 'temporal' && digit.order > inside ? 1 : digit.bound
      })
    return (at, forward) => {
      if (forward && !this.#resident && this.#forward !== undefined && digits.includes(this.#forward) && at !== undefined) {
        return this.#handedAlong(dimension, share, at)
      }
      const all = countBelow(extent, digits, caps(at?.order ?? Infinity))
      const first = at?.dimension === dimension ? countBelow(extent, digits, caps(at.order, at, 1)) : 0
      return { words: all - first, real: all - first }
    }
  }

  /**
   * A dimension whose coordinate is the operand's own (times `pitch`): tiles of different trips are disjoint, so a child holds its
   * words only when no loop of the dimension moved. `real`: the coordinates that are not padding.
   */
  #relevant(dimension: number, pitch: number, [from, to]: readonly [number, number]): Factor {
    const extent = this.#nest.extents[dimension] ?? 1
    const digits = this.#nest.byDimension[dimension] ?? []
    const length = tileLength(this.#nest, this.#edge.child, dimension)
    const low = clamp(Math.ceil(from / pitch), extent)
    const high = clamp(Math.ceil(to / pitch), extent)
    return (at, forward) => {
      if (at === undefined) return { words: extent, real: Math.max(0, high - low) }
      const isAlong = forward && !this.#resident && this.#forward?.dimension === dimension
      if (at.dimension === dimension || isAlong) return { words: 0, real: 0 }
      const moving = digits.filter(({ axis, level, order }) => axis === 'temporal' && level < this.#edge.child && order > at.order)
      if (moving.length === 0) return { words: extent, real: Math.max(0, high - low) }
      // Near the end of the extent the loops that went back may have had a single trip: then nothing moved.
      const smallest = moving.reduce((stride, digit) => Math.min(stride, digit.stride), Infinity)
      const tail = Math.max(0, Math.ceil((extent - smallest) / length) * length)
      const caps = digits.map((digit) => (moving.includes(digit) ? 1 : digit.bound))
      const between = (start: number, end: number): number =>
        end <= start ? 0 : countBelow(end, digits, caps) - countBelow(start, digits, caps)
      return { words: between(tail, extent), real: between(Math.max(tail, low), high) }
    }
  }

  /** Forwarding along a dimension that the operand does not depend on: children whose neighbour works too. */
  #handedAlong(dimension: number, share: Share, at: Digit): Arrivals {
    const window: Window = {
      lines: [this.#line(dimension, 0, share), { extent: 1, pitch: 0, digits: [], roles: [] }],
      real: [0, 1],
      boxes: false,
    }
    const { held } = countWindow(window, { digit: at, forward: this.#forward, resident: false })
    return { words: held, real: held }
  }

  #line(dimension: number, pitch: number, share: Share): Line {
    return {
      extent: this.#nest.extents[dimension] ?? 1,
      pitch,
      digits: this.#nest.byDimension[dimension] ?? [],
      roles: this.#roles(dimension, share),
    }
  }

  /** Input rows (or columns): two dimensions that reach the same words, unless one of them is a single trip. */
  #pair(first: 'P' | 'Q', second: 'R' | 'S', pitch: number, step: number, real: readonly [number, number], share: Share): Factor[] {
    const [outer, inner] = [DIMENSIONS.indexOf(first), DIMENSIONS.indexOf(second)]
    const isFlat = this.#halo === 'exact' || (pitch === 1 && step === 1)
    if (isFlat && this.#nest.extents[inner] === 1) return [this.#relevant(outer, pitch, real), this.#relevant(inner, 1, [0, 1])]
    if (isFlat && this.#nest.extents[outer] === 1) return [this.#relevant(outer, 1, [0, 1]), this.#relevant(inner, step, real)]
    const window: Window = {
      lines: [this.#line(outer, pitch, share), this.#line(inner, step, share)],
      real,
      boxes: this.#halo === 'timeloop',
    }
    const lines = `${first}${describe(window.lines)}`
    return [
      (at, forward) => {
        const isOurs = at !== undefined && (at.dimension === outer || at.dimension === inner)
        const along = forward ? this.#forward : undefined
        // A dimension apart from the forwarding one holds what the same child held.
        const isAlong = along !== undefined && (along.dimension === outer || along.dimension === inner)
        const resident = this.#resident || !isAlong
        const rank = at === undefined ? '' : this.#rank(at, outer, inner)
        const network = isAlong ? `f${along.dimension},${along.stride}` : ''
        const key = `${lines} ${rank}${isOurs ? '=' : '<'}${network}${resident ? 'r' : ''}`
        let counted = this.#cache.get(key)
        if (counted === undefined) {
          const count = countWindow(window, {
            ...(at === undefined ? {} : { digit: at }),
            forward: isAlong ? along : undefined,
            resident,
          })
          counted = at === undefined ? { words: count.words, real: count.realWords } : { words: count.held, real: count.realHeld }
          this.#cache.set(key, counted)
        }
        return counted
      },
    ]
  }

  /** How many steps of the pair's own loops lie outside `at`. */
  #rank(at: Digit, outer: number, inner: number): number {
    let rank = 0
    for (const { dimension, order } of this.#steps) if ((dimension === outer || dimension === inner) && order < at.order) rank++
    return rank
  }

  /**
   * Timeloop's state survives a step only where the direction of movement stays: nothing inside the advancing loop moved the
   * inputs, and a sliding loop is the innermost of its level.
   */
  #timeloopCredits(at: Digit): boolean {
    if (this.#edge.operand !== 'inputs') return true
    const moves = ({ dimension }: Digit): boolean => RELEVANT.inputs.includes(DIMENSIONS[dimension] ?? 'M')
    const inside = this.#steps.filter(({ order }) => order > at.order)
    if (inside.some(moves)) return false
    return !moves(at) || !inside.some(({ level }) => level === at.level)
  }
}

function product(factors: readonly Factor[], at: Digit | undefined, forward: boolean): Arrivals {
  let words = 1
  let real = 1
  for (const factor of factors) {
    const count = factor(at, forward)
    words *= count.words
    real *= count.real
    if (words === 0) return { words: 0, real: 0 }
  }
  return { words, real }
}

function clamp(value: number, most: number): number {
  return Math.max(0, Math.min(value, most))
}

/** The loops of a pair in a word: bounds, roles, and their order among each other. */
function describe(lines: readonly [Line, Line]): string {
  const orders = lines.flatMap(({ digits }) => digits.map(({ order }) => order)).toSorted((a, b) => a - b)
  return lines
    .map(({ digits, roles }) =>
      digits.map(({ bound, order, axis }, i) => `${bound}${axis[0]}${orders.indexOf(order)}${roles[i]?.[0]}`).join(','),
    )
    .join('/')
}
