/**
 * One mapping of a space as numbers that moves rewrite in place: think of it as the wall of a climber, with a hold for every
 * choice. It always follows the constraint and the fan-outs; only whether its tiles fit their levels is left to the scorer.
 */
import { emptyCode, type MappingCode } from '../code.ts'
import type { Mapping } from '../mapping.ts'
import { DIMENSIONS, OPERANDS, type Dimension } from '../problem.ts'
import type { Random } from './random.ts'
import { D, type Space } from './space.ts'

/** By dimension: whether it moves the inputs' window. */
const SLIDES = Uint8Array.from(DIMENSIONS, (name) => ('PQRS'.includes(name) ? 1 : 0))

export class Candidate {
  readonly space: Space
  /** D × slots. */
  readonly bounds: Float64Array
  /** Levels × D: dimensions in the order of the level's loops, outermost first. */
  readonly order: Uint8Array
  readonly keep: Uint8Array
  /** Bits by level. */
  readonly forward: Uint8Array
  /** Places of the loops that `loops` counted. */
  readonly #places = new Uint8Array(D)

  constructor(space: Space) {
    const levels = space.rules.length
    this.space = space
    this.bounds = new Float64Array(D * space.slots.length).fill(1)
    this.order = new Uint8Array(levels * D)
    this.keep = Uint8Array.from(space.rules, ({ must }) => must)
    this.forward = new Uint8Array(levels)
    for (const [level, { rank }] of space.rules.entries()) {
      const sorted = DIMENSIONS.map((_, d) => d).toSorted((a, b) => (rank[a] ?? 0) - (rank[b] ?? 0))
      this.order.set(sorted, level * D)
    }
    for (let d = 0; d < D; d++) this.settle(d)
  }

  copy(other: Candidate): void {
    this.bounds.set(other.bounds)
    this.order.set(other.order)
    this.keep.set(other.keep)
    this.forward.set(other.forward)
  }

  bound(d: number, s: number): number {
    return this.bounds[d * this.space.slots.length + s] ?? 1
  }

  setBound(d: number, s: number, value: number): void {
    this.bounds[d * this.space.slots.length + s] = value
  }

  /** Instances left at a slot for a dimension, beside what the others take. */
  room(d: number, s: number): number {
    const { active, slots } = this.space
    let left = slots[s]?.room ?? 1
    if (left === Infinity) return left
    for (let at = 0; at < active.length; at++) {
      const other = active[at] ?? 0
      if (other !== d) left = Math.floor(left / this.bound(other, s))
    }
    return left
  }

  /** Trips that a dimension has left for slot `s` and those outside it. */
  rest(d: number, s: number): number {
    let rest = this.space.extents[d] ?? 1
    for (let at = 0; at < s; at++) rest = Math.ceil(rest / this.bound(d, at))
    return rest
  }

  /**
   * Makes a dimension's bounds those of the space again: from the innermost out, each as it is or less where there is no room or
   * no trips left, balanced, what is left outermost. False where no loop may take what is left.
   */
  settle(d: number): boolean {
    const { space } = this
    let rest = space.extents[d] ?? 1
    for (let s = 0; s < space.last; s++) {
      const fixed = space.fixed[d * space.slots.length + s] ?? 0
      let bound = fixed
      if (fixed === 0) {
        bound = Math.max(1, Math.min(this.bound(d, s), rest, this.room(d, s)))
        bound = Math.ceil(rest / Math.ceil(rest / bound))
      }
      this.setBound(d, s, bound)
      rest = Math.ceil(rest / bound)
    }
    this.setBound(d, space.last, rest)
    return rest === 1 || space.allowed[d * space.slots.length + space.last] === 1
  }

  /** Whether the outermost level may loop over all that is left to it. */
  get isWhole(): boolean {
    const { space } = this
    for (let d = 0; d < D; d++) {
      if (this.bound(d, space.last) > 1 && space.allowed[d * space.slots.length + space.last] !== 1) return false
    }
    return true
  }

  /** Draws all choices anew. Tiles are drawn small at the inner levels, spatial splits large. */
  randomize(random: Random): void {
    const { space } = this
    this.bounds.fill(1)
    for (let d = 0; d < D; d++) this.settle(d)
    for (let level = 0; level < space.rules.length; level++) {
      const rule = space.rules[level]
      if (rule === undefined) continue
      this.keep[level] = rule.must
      for (let bit = 1; bit <= 4; bit <<= 1) {
        if ((rule.may & bit) !== 0 && random.next() < 0.7) this.keep[level] = (this.keep[level] ?? 0) | bit
      }
      this.forward[level] = random.next() < 0.3 ? rule.forward : 0
      for (let at = D - 1; at > 0; at--) this.#swap(level, at, random.below(at + 1))
    }
    const { active } = space
    // Several rounds, so that no dimension always finds the array taken.
    for (let draws = 2 * active.length * space.slots.length; draws > 0; draws--) {
      const d = active[random.below(active.length)] ?? 0
      const s = random.below(Math.max(1, space.last))
      const count = space.choices(d, s, this.rest(d, s), this.room(d, s))
      if (count <= 1 || s === space.last) continue
      const isSpatial = space.slots[s]?.axis !== 0
      const at = isSpatial && random.next() < 0.6 ? count - 1 : Math.floor(count * random.next() ** 2)
      this.setBound(d, s, space.balanced(this.rest(d, s))[at] ?? 1)
      this.settle(d)
    }
  }

  /** Makes the tile of a level smaller; false where nothing is left to shrink. */
  shrink(random: Random): boolean {
    const { space } = this
    const from = random.below(space.active.length * space.last)
    for (let step = 0; step < space.active.length * space.last; step++) {
      const at = (from + step) % (space.active.length * space.last)
      const d = space.active[Math.floor(at / space.last)] ?? 0
      const s = at % space.last
      if ((space.fixed[d * space.slots.length + s] ?? 0) > 0 || this.bound(d, s) === 1) continue
      this.setBound(d, s, Math.floor(this.bound(d, s) / 2))
      this.settle(d)
      return true
    }
    return false
  }

  /** One random change, of anything but what level `frozen` keeps; false where the draw changes nothing. */
  mutate(random: Random, frozen: number): boolean {
    const { space } = this
    if (space.active.length === 0 || space.last === 0) return this.#flip(random, frozen)
    const kind = random.next()
    if (kind < 0.25) return this.#retile(random, random.below(space.last), this.#anyActive(random))
    if (kind < 0.5) return this.#shift(random)
    if (kind < 0.75) return this.#exchange(random)
    if (kind < 0.9) return this.#reorder(random)
    return this.#flip(random, frozen)
  }

  /** Another bound at one slot; the outermost loop takes the difference. */
  #retile(random: Random, s: number, d: number): boolean {
    const { space } = this
    const rest = this.rest(d, s)
    const count = space.choices(d, s, rest, this.room(d, s))
    if (count <= 1) return false
    const bound = space.balanced(rest)[random.below(count)] ?? 1
    if (bound === this.bound(d, s)) return false
    this.setBound(d, s, bound)
    return this.settle(d)
  }

  #anyActive(random: Random): number {
    return this.space.active[random.below(this.space.active.length)] ?? 0
  }

  /** Less of one dimension at a slot, and another bound of a second one in its place: full levels and arrays stay full. */
  #exchange(random: Random): boolean {
    const { space } = this
    const s = random.below(space.last)
    const d = this.#anyActive(random)
    const bound = this.bound(d, s)
    if (bound === 1) return this.#retile(random, s, d)
    if ((space.fixed[d * space.slots.length + s] ?? 0) > 0) return false
    this.setBound(d, s, 1 + random.below(bound - 1))
    if (!this.settle(d)) return false
    this.#retile(random, s, this.#anyActive(random))
    return true
  }

  /** A factor from one slot of a dimension to another. */
  #shift(random: Random): boolean {
    const { space } = this
    const d = this.#anyActive(random)
    const from = random.below(space.slots.length)
    const to = random.below(space.slots.length)
    const bound = this.bound(d, from)
    if (from === to || bound === 1) return false
    return this.transfer(d, from, to, smallFactor(bound, random))
  }

  /** Divides one bound of a dimension by `factor` and multiplies another; false where the constraint does not allow it. */
  transfer(d: number, from: number, to: number, factor: number): boolean {
    const { space } = this
    const isFree = (s: number): boolean => s === space.last || (space.fixed[d * space.slots.length + s] ?? 0) === 0
    if (!isFree(from) || !isFree(to)) return false
    const target = this.bound(d, to) * factor
    if (to !== space.last && target > this.room(d, to)) return false
    if (from !== space.last) this.setBound(d, from, Math.ceil(this.bound(d, from) / factor))
    if (to !== space.last) this.setBound(d, to, target)
    return this.settle(d)
  }

  /** Swaps two loops of a level, or moves one; loops of one trip do not count. */
  #reorder(random: Random): boolean {
    const level = random.below(this.space.rules.length)
    const count = this.loops(level)
    if (count < 2) return false
    const from = random.below(count)
    const to = random.below(count)
    if (random.next() < 0.5) return this.#swap(level, this.#places[from] ?? 0, this.#places[to] ?? 0)
    return this.move(level, from, to)
  }

  /** How many loops of more than one trip a level has whose order counts; `move` takes their numbers. */
  loops(level: number): number {
    const s = this.space.temporal[level] ?? -1
    if (s < 0 || this.space.rules[level]?.ordered !== true) return 0
    let count = 0
    for (let at = 0; at < D; at++) {
      if (this.bound(this.order[level * D + at] ?? 0, s) > 1) this.#places[count++] = at
    }
    return count
  }

  /** Swaps two loops of a level where both are of one order group. */
  #swap(level: number, from: number, to: number): boolean {
    const rank = this.space.rules[level]?.rank
    const a = this.order[level * D + from] ?? 0
    const b = this.order[level * D + to] ?? 0
    if (from === to || rank === undefined || rank[a] !== rank[b]) return false
    this.order[level * D + from] = b
    this.order[level * D + to] = a
    return true
  }

  /** Moves a loop of a level to the place of another, as far as its order group reaches. Numbers as `loops` counted last. */
  move(level: number, from: number, to: number): boolean {
    const step = from < to ? 1 : -1
    let moved = false
    for (let at = from; at !== to; at += step) {
      if (!this.#swap(level, this.#places[at] ?? 0, this.#places[at + step] ?? 0)) return moved
      moved = true
    }
    return moved
  }

  #flip(random: Random, frozen: number): boolean {
    const level = random.below(this.space.rules.length)
    const bit = 1 << random.below(OPERANDS.length)
    if (random.next() < 0.25) return this.flipForward(level, bit)
    return level !== frozen && this.flipKeep(level, bit)
  }

  flipKeep(level: number, bit: number): boolean {
    if (((this.space.rules[level]?.may ?? 0) & bit) === 0) return false
    this.keep[level] = (this.keep[level] ?? 0) ^ bit
    return true
  }

  flipForward(level: number, bit: number): boolean {
    if (((this.space.rules[level]?.forward ?? 0) & bit) === 0) return false
    this.forward[level] = (this.forward[level] ?? 0) ^ bit
    return true
  }

  /** Writes the mapping that this is; loops of one trip are left out. */
  write(into: MappingCode): void {
    const { space } = this
    into.length = 0
    into.forward.fill(0)
    for (let s = space.last; s >= 0; s--) {
      const slot = space.slots[s]
      if (slot === undefined) continue
      for (let at = 0; at < D; at++) {
        const d = slot.axis === 0 ? (this.order[slot.level * D + at] ?? 0) : at
        const bound = this.bound(d, s)
        if (bound === 1) continue
        into.dimension[into.length] = d
        into.bound[into.length] = bound
        into.level[into.length] = slot.level
        into.axis[into.length] = slot.axis
        into.length++
      }
    }
    for (let level = 0; level < space.rules.length; level++) {
      into.keep[level] = level === 0 ? 7 : (this.keep[level] ?? 0)
      const forward = this.handsOn(level) ? (this.forward[level] ?? 0) : 0
      for (let at = 0; at < OPERANDS.length; at++) if ((forward & (1 << at)) !== 0) into.forward[3 * level + at] = 1
    }
  }

  /**
   * Whether a neighbour along x can have held a word that the parent does not read for all at once: the split slides a window, or
   * the fan-out does not multicast.
   */
  handsOn(level: number): boolean {
    const { space } = this
    const isShared = space.hardware.levels[level]?.multicast !== false
    for (let s = 0; s < space.slots.length; s++) {
      const slot = space.slots[s]
      if (slot === undefined || slot.level !== level || slot.axis !== 1) continue
      for (let d = 0; d < D; d++) if (this.bound(d, s) > 1 && (!isShared || SLIDES[d] === 1)) return true
    }
    return false
  }

  code(): MappingCode {
    const code = emptyCode(this.space.rules.length)
    this.write(code)
    return code
  }

  /** Takes a mapping's choices over as far as the space has them; loops of one dimension at one level join. */
  take(mapping: Mapping): void {
    const { space } = this
    this.bounds.fill(1)
    for (const [level, { temporal, spatial, keep, forward }] of mapping.levels.entries()) {
      const rule = space.rules[level]
      if (rule === undefined) continue
      for (const [axis, loops] of [temporal, spatial?.x ?? [], spatial?.y ?? []].entries()) {
        const s = space.slots.findIndex((slot) => slot.level === level && slot.axis === axis)
        for (const [name, bound] of loops) {
          const d = DIMENSIONS.indexOf(name)
          if (s >= 0) this.setBound(d, s, this.bound(d, s) * bound)
        }
      }
      this.#sort(
        level,
        temporal.map(([name]) => name),
      )
      const kept = keep === undefined ? 7 : keep.reduce((bits, operand) => bits | (1 << OPERANDS.indexOf(operand)), 0)
      this.keep[level] = rule.must | (kept & rule.may)
      this.forward[level] = 0
      for (const [at, operand] of OPERANDS.entries()) {
        if (forward?.[operand] === 'x') this.forward[level] = (this.forward[level] ?? 0) | (rule.forward & (1 << at))
      }
    }
    // Twice: a dimension that has no choice may take room from one settled before it.
    for (let d = 0; d < 2 * D; d++) this.settle(d % D)
  }

  /** The order of a level: groups as the constraint has them, within a group as `names` come, those not named outside. */
  #sort(level: number, names: readonly Dimension[]): void {
    const rank = this.space.rules[level]?.rank
    const place = (d: number): number => names.indexOf(DIMENSIONS[d] ?? 'G')
    const sorted = DIMENSIONS.map((_, d) => d).toSorted((a, b) => (rank?.[a] ?? 0) - (rank?.[b] ?? 0) || place(a) - place(b))
    this.order.set(sorted, level * D)
  }
}

/** A prime factor of a bound, drawn; of a large prime also its rounded half. */
function smallFactor(bound: number, random: Random): number {
  let left = bound
  let chosen = bound
  let count = 0
  for (let factor = 2; factor * factor <= left; factor++) {
    while (left % factor === 0) {
      left /= factor
      count++
      if (random.next() * count < 1) chosen = factor
    }
  }
  if (left > 1) {
    count++
    if (random.next() * count < 1) chosen = left
  }
  return chosen > 7 && random.next() < 0.5 ? 2 : chosen
}
