/**
 * A mapping as digits: think of every coordinate as a number in mixed radix, one digit per loop, outermost first, e.g. with
 * Q 2 at DRAM, Q 4 over x and Q 3 in the register file, q = 12·d₀ + 3·d₁ + d₂. A point whose coordinate is not below the extent
 * does not exist, so counting steps or words of a ragged mapping is counting numbers below the extent with some digits held at 0.
 *
 * The digits of one dimension are a *chain*. A search meets the same chains over and over, so they are numbered as they come (a
 * tree: a chain is a shorter one and a digit), and what is counted of one is kept in tables that the number leads to.
 */
import { DIMENSIONS } from '../schedule/problem.ts'

/** Chains and table entries kept; beyond either, all are forgotten and learnt again. */
const MOST_CHAINS = 2 ** 16
const MOST_VALUES = 2 ** 21

/** Part of a problem that operand coordinates are counted in: all of it, or what is not zero padding. */
export type Range = readonly [from: number, to: number]

/** The digits of one chain, outermost first. */
export interface Digits {
  length: number
  readonly bound: Float64Array
  /** How far one trip moves the coordinate. */
  readonly stride: Float64Array
  readonly level: Int32Array
  /** Index into AXES: 0 for a temporal loop. */
  readonly axis: Int32Array
}

/**
 * Which digits a count runs over. Between a parent and its child at level `child`, loops at `child` and inside it are the tile's;
 * temporal loops outside are free; spatial ones are shared (held at 0: one read serves them all) where they lie at level `shared` or
 * inside it and their fan-out multicasts, or wherever they lie if `regardless`.
 */
export interface Slot {
  readonly child: number
  readonly shared: number
  readonly regardless: boolean
}

export class Chains {
  readonly extents: readonly number[]
  readonly digits: Digits
  readonly #levels: number
  readonly #multicast: readonly boolean[]
  /** Whether all levels do. */
  readonly #multicasts: boolean
  readonly #ranges: readonly Range[]
  readonly #slots: readonly Slot[]
  /** Tables of a chain: one for each slot, then one for each child level. */
  readonly #width: number
  readonly #most: number
  #count = 0
  /** By chain: the shorter chain, and its last digit as one number. */
  #shorter = new Int32Array(64)
  #last = new Float64Array(64)
  /** By chain and table: where it starts in `values`, 0 where it is not yet counted. */
  #tables = new Int32Array(0)
  /** Chains by hash of shorter chain and last digit; −1 where free. */
  #hash = new Int32Array(256).fill(-1)
  #used = 1
  values = new Float64Array(256)
  readonly #caps = new Float64Array(256)

  /**
   * @param ranges by dimension, the coordinates counted where they are an operand's own
   * @param most chains remembered
   */
  constructor(extents: readonly number[], multicast: readonly boolean[], ranges: readonly Range[], most = MOST_CHAINS) {
    this.extents = extents
    this.#most = most
    this.#levels = multicast.length
    this.#multicast = multicast
    this.#multicasts = !multicast.includes(false)
    this.#ranges = ranges
    const slots: Slot[] = []
    for (const regardless of multicast.includes(false) ? [false, true] : [false]) {
      for (let child = 0; child <= this.#levels; child++) {
        for (let shared = 0; shared <= child; shared++) slots.push({ child, shared, regardless })
      }
    }
    this.#slots = slots
    this.#width = slots.length + this.#levels + 1
    const room = 256
    this.digits = {
      length: 0,
      bound: new Float64Array(room),
      stride: new Float64Array(room),
      level: new Int32Array(room),
      axis: new Int32Array(room),
    }
    this.#tables = new Int32Array(64 * this.#width)
    this.clear()
  }

  /** Whether so much is kept that it is time to `clear`. */
  get isFull(): boolean {
    return this.#count > this.#most || this.#used > MOST_VALUES
  }

  /** Forgets all chains but the empty one of each dimension, which is numbered as the dimension. */
  clear(): void {
    this.#hash.fill(-1)
    this.#tables.fill(0)
    this.#count = DIMENSIONS.length
    this.#used = 1
  }

  /** How many slots there are. */
  get slots(): number {
    return this.#slots.length
  }

  slotOf(child: number, shared: number, regardless: boolean): number {
    const from = regardless && !this.#multicasts ? this.#slots.length / 2 : 0
    return from + (child * (child + 1)) / 2 + shared
  }

  slotAt(slot: number): Slot {
    return this.#slots[slot] ?? { child: 0, shared: 0, regardless: false }
  }

  /** Whether a spatial digit at a level is shared in a slot; see Slot. */
  isShared({ shared, regardless }: Slot, level: number): boolean {
    return level >= shared && (regardless || this.#multicast[level] === true)
  }

  /** The chain that is `chain` and one more digit inside it. */
  extend(chain: number, bound: number, level: number, axis: number): number {
    const last = (bound * this.#levels + level) * 3 + axis
    const mask = this.#hash.length - 1
    let at = mix(chain, last) & mask
    for (;;) {
      const found = this.#hash[at] ?? -1
      if (found === -1) break
      if (this.#shorter[found] === chain && this.#last[found] === last) return found
      at = (at + 1) & mask
    }
    return this.#add(chain, last)
  }

  #add(chain: number, last: number): number {
    const added = this.#count++
    if (added >= this.#shorter.length) {
      this.#shorter = grown(this.#shorter, new Int32Array(2 * added))
      this.#last = grown(this.#last, new Float64Array(2 * added))
      this.#tables = grown(this.#tables, new Int32Array(2 * added * this.#width))
    }
    this.#shorter[added] = chain
    this.#last[added] = last
    if (3 * this.#count > this.#hash.length) {
      this.#hash = new Int32Array(2 * this.#hash.length).fill(-1)
      for (let each = DIMENSIONS.length; each < added; each++) this.#enter(each)
    }
    this.#enter(added)
    return added
  }

  #enter(chain: number): void {
    const mask = this.#hash.length - 1
    let at = mix(this.#shorter[chain] ?? 0, this.#last[chain] ?? 0) & mask
    while (this.#hash[at] !== -1) at = (at + 1) & mask
    this.#hash[at] = chain
  }

  /** Lays out the digits of a chain in `digits` (overwritten by the next call). Returns its dimension. */
  spell(chain: number): number {
    let length = 0
    let at = chain
    for (; at >= DIMENSIONS.length; at = this.#shorter[at] ?? 0) length++
    const dimension = at
    const { digits } = this
    digits.length = length
    let stride = 1
    at = chain
    for (let index = length - 1; index >= 0; index--) {
      const last = this.#last[at] ?? 0
      digits.axis[index] = last % 3
      const rest = Math.floor(last / 3)
      digits.level[index] = rest % this.#levels
      const bound = Math.floor(rest / this.#levels)
      digits.bound[index] = bound
      digits.stride[index] = stride
      stride *= bound
      at = this.#shorter[at] ?? 0
    }
    return dimension
  }

  /**
   * Where the counts of a dimension that an operand does not depend on lie in `values`: at k, the number of combinations of the
   * free digits, of the temporal ones only the k outermost. So entry n is all steps, and the difference of entries t + 1 and t the
   * steps in which temporal loop t has just advanced.
   */
  free(chain: number, slot: number): number {
    return this.#tables[chain * this.#width + slot] || this.#countFree(chain, slot)
  }

  /**
   * Where the counts of a dimension that is the operand's own coordinate lie in `values`: at k, the words that stay when a loop
   * advances that has k temporal loops of this chain outside it. All stay (entry n) where none is inside it; near the end of the
   * extent some stay where the loops that go back had a single trip. None stay when a loop of the chain itself advances.
   */
  own(chain: number, child: number): number {
    return this.#tables[chain * this.#width + this.#slots.length + child] || this.#countOwn(chain, child)
  }

  #reserve(chain: number, table: number, length: number): number {
    const at = this.#used
    this.#used += length
    while (this.#used > this.values.length) this.values = grown(this.values, new Float64Array(2 * this.values.length))
    this.#tables[chain * this.#width + table] = at
    return at
  }

  #countFree(chain: number, slot: number): number {
    const dimension = this.spell(chain)
    const { length, bound, level, axis } = this.digits
    const caps = this.#caps
    const place = this.slotAt(slot)
    let times = 0
    for (let i = 0; i < length; i++) {
      const isOutside = (level[i] ?? 0) < place.child
      const isTemporal = axis[i] === 0
      if (isOutside && isTemporal) times++
      const isFree = isOutside && !isTemporal && !this.isShared(place, level[i] ?? 0)
      caps[i] = isFree ? (bound[i] ?? 1) : 1
    }
    const at = this.#reserve(chain, slot, times + 1)
    const extent = this.extents[dimension] ?? 1
    let k = 0
    this.values[at] = countBelow(extent, this.digits, caps)
    for (let i = 0; i < length; i++) {
      if (axis[i] !== 0 || (level[i] ?? 0) >= place.child) continue
      caps[i] = bound[i] ?? 1
      this.values[at + ++k] = countBelow(extent, this.digits, caps)
    }
    return at
  }

  #countOwn(chain: number, child: number): number {
    const dimension = this.spell(chain)
    const { length, bound, stride, level, axis } = this.digits
    const caps = this.#caps
    const extent = this.extents[dimension] ?? 1
    const [low, high] = this.#ranges[dimension] ?? [0, extent]
    let times = 0
    let tile = 1
    let smallest = extent
    for (let i = 0; i < length; i++) {
      const isOutside = (level[i] ?? 0) < child
      const isMoving = isOutside && axis[i] === 0
      if (!isOutside) tile *= bound[i] ?? 1
      if (isMoving) {
        times++
        smallest = stride[i] ?? 1
      }
      caps[i] = isMoving ? 1 : (bound[i] ?? 1)
    }
    const at = this.#reserve(chain, this.#slots.length + child, times + 1)
    this.values[at + times] = Math.max(0, high - low)
    // The words before this have seen the innermost loop move on.
    const tail = Math.max(low, Math.ceil((extent - smallest) / tile) * tile)
    let k = 0
    for (let i = 0; i < length && k < times; i++) {
      if (axis[i] !== 0 || (level[i] ?? 0) >= child) continue
      const between = countBelow(high, this.digits, caps) - countBelow(tail, this.digits, caps)
      this.values[at + k++] = tail < high ? between : 0
      caps[i] = bound[i] ?? 1
    }
    return at
  }
}

function mix(chain: number, last: number): number {
  const mixed = Math.imul(chain, 0x9e3779b1) ^ Math.imul(last | 0, 0x85ebca6b)
  return mixed ^ (mixed >>> 15)
}

/** The larger array with the contents of the smaller. */
export function grown<T extends Int32Array | Float64Array>(from: T, into: T): T {
  into.set(from)
  return into
}

/**
 * How many numbers below `limit` have every digit below its cap (a cap of 1 holds the digit at 0, its bound leaves it free).
 * @param caps one per digit, outermost first
 */
function countBelow(limit: number, { length, bound, stride }: Digits, caps: Float64Array): number {
  if (limit <= 0) return 0
  let ways = 1
  for (let i = 0; i < length; i++) ways *= caps[i] ?? 1
  const span = length === 0 ? 1 : (bound[0] ?? 1) * (stride[0] ?? 1)
  if (limit >= span) return ways
  let total = 0
  let rest = limit
  for (let i = 0; i < length; i++) {
    const pitch = stride[i] ?? 1
    const cap = caps[i] ?? 1
    const digit = Math.floor(rest / pitch)
    ways /= cap
    if (digit >= cap) return total + cap * ways
    total += digit * ways
    rest -= digit * pitch
  }
  return total
}
