/**
 * The mappings that a constraint allows on a hardware, as places to put factors in. Think of each dimension's bound as a number
 * written in digits: a *slot* is a place for one digit (a level's temporal loops, or an axis of its fan-out), filled from the
 * innermost out; the outermost temporal slot takes what is left, rounded up, so that tiles need not divide the problem.
 *
 * Digits are *balanced*: of all tiles that make the same number of trips only the smallest is tried (7 and 7 for 13, not 8 and 5).
 */
import type { Dataflow } from '../dataflow.ts'
import type { Hardware } from '../hardware.ts'
import { DIMENSIONS, extentOf, type Problem } from '../problem.ts'
import { arrayLevel, rulesOf, type LevelRule } from './rules.ts'

export const D = DIMENSIONS.length

/** Levels whose loop orders the size of a space counts exactly. */
const COUNTED_LEVELS = 5

export interface Slot {
  readonly level: number
  /** Index into AXES of `code.ts`: 0 in time, 1 along x, 2 along y. */
  readonly axis: number
  /** Most instances; Infinity in time. */
  readonly room: number
}

export class Space {
  readonly problem: Problem
  readonly hardware: Hardware
  readonly rules: readonly LevelRule[]
  /** From the innermost out; the last is the outermost level's temporal one. */
  readonly slots: readonly Slot[]
  /** Index of the last slot. */
  readonly last: number
  /** By level: its temporal slot, -1 where it has none. */
  readonly temporal: readonly number[]
  readonly extents: readonly number[]
  /** Dimensions of more than one point. */
  readonly active: readonly number[]
  /** D × slots: whether a dimension may be there. */
  readonly allowed: Uint8Array
  /** D × slots: the bound of a dimension that has no choice there (it may not be there, or it runs whole); 0 where it has. */
  readonly fixed: Float64Array
  readonly #balanced = new Map<number, Float64Array>()

  constructor(problem: Problem, hardware: Hardware, dataflow: Dataflow, halo: 'exact' | 'timeloop' = 'exact') {
    this.problem = problem
    this.hardware = hardware
    this.rules = rulesOf(hardware, dataflow, halo)
    this.extents = DIMENSIONS.map((name) => extentOf(problem, name))
    this.active = DIMENSIONS.flatMap((_, index) => ((this.extents[index] ?? 1) > 1 ? [index] : []))
    const slots: Slot[] = []
    for (let level = hardware.levels.length - 1; level >= 0; level--) {
      const rule = this.rules[level]
      if (rule === undefined) continue
      if (rule.y.size > 0 && rule.room.y > 1) slots.push({ level, axis: 2, room: rule.room.y })
      if (rule.x.size > 0 && rule.room.x > 1) slots.push({ level, axis: 1, room: rule.room.x })
      if (rule.temporal.size > 0 || level === 0) slots.push({ level, axis: 0, room: Infinity })
    }
    this.slots = slots
    this.last = slots.length - 1
    this.temporal = this.rules.map((_, level) => slots.findIndex((slot) => slot.level === level && slot.axis === 0))
    this.allowed = new Uint8Array(D * slots.length)
    for (const [d, name] of DIMENSIONS.entries()) {
      for (const [s, { level, axis }] of slots.entries()) {
        const rule = this.rules[level]
        const allowed = axis === 0 ? rule?.temporal : axis === 1 ? rule?.x : rule?.y
        if (allowed?.has(name) === true) this.allowed[d * slots.length + s] = 1
      }
    }
    this.fixed = this.#fix(dataflow)
  }

  /** ⌈extent / t⌉ for every t, ascending: the smallest tile for each number of trips. Shared: do not write to it. */
  balanced(extent: number): Float64Array {
    let values = this.#balanced.get(extent)
    if (values === undefined) {
      const found: number[] = []
      for (let tile = extent; tile >= 1;) {
        const even = Math.ceil(extent / Math.ceil(extent / tile))
        found.push(even)
        tile = even - 1
      }
      values = Float64Array.from(found.toReversed())
      this.#balanced.set(extent, values)
    }
    return values
  }

  /** How many of `balanced(rest)` fit `room`. */
  fitting(rest: number, room: number): number {
    const values = this.balanced(rest)
    if (room >= rest) return values.length
    let low = 0
    let high = values.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((values[middle] ?? Infinity) <= room) low = middle + 1
      else high = middle
    }
    return low
  }

  /**
   * Combinations of bounds, loop orders, kept and forwarded operands: those that fit nowhere included, orders of loops of one trip
   * not. Every operand that a level may keep or leave, and every forward that the rules offer its fan-out, doubles the count, also
   * where the forward hands nothing on (no loop of that operand is spread along x) and equals its absence: an upper bound on the
   * mappings that differ. A float: spaces are large. Of more than five levels more so: the others' orders are counted of all loops.
   */
  total(): number {
    let rest = 1
    for (const { may, forward, room } of this.rules) {
      rest *= 2 ** (popcount(may) + (room.x > 1 ? popcount(forward) : 0))
    }
    const ordered = this.rules.flatMap(({ ordered: matters }, level) => (matters ? [level] : []))
    const counted = ordered.slice(0, COUNTED_LEVELS)
    const others = factorial(this.active.length) ** (ordered.length - counted.length)
    return rest * others * this.#ordersTimesBounds(counted)
  }

  /**
   * Σ over all bounds of Π over levels and order groups of (loops of more than one trip)!, by dynamic programming over dimensions:
   * the state is how many such loops each (level, group) has so far.
   */
  #ordersTimesBounds(levels: readonly number[]): number {
    const places = new Map<number, number>()
    const place = (level: number, d: number): number => {
      const key = level * 256 + (this.rules[level]?.rank[d] ?? 0)
      let index = places.get(key)
      if (index === undefined) {
        index = places.size
        places.set(key, index)
      }
      return index
    }
    let states = new Map<number, number>([[0, 1]])
    for (const d of this.active) {
      // Tilings of this dimension by the set of levels where it loops.
      const patterns = this.#patterns(d, 0, this.extents[d] ?? 1, levels, new Map())
      const added = new Map<number, number>()
      for (const [pattern, ways] of patterns) {
        let delta = 0
        for (const [index, level] of levels.entries()) if ((pattern & (1 << index)) !== 0) delta += (D + 1) ** place(level, d)
        added.set(delta, (added.get(delta) ?? 0) + ways)
      }
      const next = new Map<number, number>()
      for (const [state, count] of states) {
        for (const [delta, ways] of added) next.set(state + delta, (next.get(state + delta) ?? 0) + count * ways)
      }
      states = next
    }
    let total = 0
    for (const [state, count] of states) {
      let orders = 1
      for (let left = state; left > 0; left = Math.floor(left / (D + 1))) orders *= factorial(left % (D + 1))
      total += count * orders
    }
    return total
  }

  /** Ways to fill slots from `s` out with `rest` trips left, by the set of `levels` (bits) whose temporal loop has more than one trip. */
  #patterns(
    d: number,
    s: number,
    rest: number,
    levels: readonly number[],
    known: Map<number, Map<number, number>>,
  ): Map<number, number> {
    const key = rest * 256 + s
    const before = known.get(key)
    if (before !== undefined) return before
    const found = new Map<number, number>()
    known.set(key, found)
    const slot = this.slots[s]
    if (slot === undefined) return found
    const index = slot.axis === 0 ? levels.indexOf(slot.level) : -1
    const bit = index < 0 ? 0 : 1 << index
    if (s === this.last) {
      if (rest === 1 || this.allowed[d * this.slots.length + s] === 1) found.set(rest > 1 ? bit : 0, 1)
      return found
    }
    const fixed = this.fixed[d * this.slots.length + s] ?? 0
    const count = fixed > 0 ? 1 : this.choices(d, s, rest, slot.room)
    for (let at = 0; at < count; at++) {
      const bound = fixed > 0 ? fixed : (this.balanced(rest)[at] ?? 1)
      for (const [pattern, ways] of this.#patterns(d, s + 1, Math.ceil(rest / bound), levels, known)) {
        const all = pattern | (bound > 1 ? bit : 0)
        found.set(all, (found.get(all) ?? 0) + ways)
      }
    }
    return found
  }

  /** How many of `balanced(rest)` a dimension may take at a slot with `room` left; none where its bound there is fixed. */
  choices(d: number, s: number, rest: number, room: number): number {
    return (this.fixed[d * this.slots.length + s] ?? 0) > 0 ? 0 : Math.max(1, this.fitting(rest, room))
  }

  /** Bounds of the dimensions that run whole, from the innermost slot out; 1 where a dimension may not be. */
  #fix(dataflow: Dataflow): Float64Array {
    const fixed = new Float64Array(D * this.slots.length)
    const room = this.slots.map((slot) => slot.room)
    const array = arrayLevel(this.hardware)
    for (const [d, name] of DIMENSIONS.entries()) {
      let rest = this.extents[d] ?? 1
      for (const [s, { level, axis }] of this.slots.entries()) {
        const at = d * this.slots.length + s
        const isInside = level > array || (level === array && axis !== 0)
        if (this.allowed[at] !== 1 || rest === 1) {
          if (s < this.last) fixed[at] = 1
        } else if (isInside && dataflow.whole?.includes(name) === true) {
          const bound = this.balanced(rest)[this.fitting(rest, Math.max(1, room[s] ?? 1)) - 1] ?? 1
          fixed[at] = bound
          rest = Math.ceil(rest / bound)
          room[s] = Math.floor((room[s] ?? 1) / bound)
        }
      }
    }
    return fixed
  }
}

function popcount(value: number): number {
  let count = 0
  for (let left = value; left > 0; left >>= 1) count += left & 1
  return count
}

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1)
}
