/**
 * The states of one loop dimension, between a parent and its child: think of a row of children, each over an interval of the
 * dimension, now and in the step before. States of the same shape are counted once, wherever they lie (but where padding is told
 * apart); lists of shapes are numbered, so that two of them can be looked up together (`sliding.ts`).
 */
import { grown, type Chains, type Slot } from './loops.ts'

const MOST_LISTS = 2 ** 17
const MOST_STATES = 2 ** 20

/** One state, relative to its first coordinate. */
export interface Shape {
  readonly children: number
  /** By child: where its interval starts, and how long it is, now and in the step before. */
  readonly now: Float64Array
  readonly length: Float64Array
  readonly before: Float64Array
  readonly beforeLength: Float64Array
  /** Two by child: its neighbours' intervals of the step before; of length 0 where there is none. Empty without forwarding. */
  readonly near: Float64Array
  readonly nearLength: Float64Array
  /** Levels of fan-out between parent and child, and by child and level which part of the fan-out it is in. */
  readonly levels: number
  readonly places: Int32Array
  /** Where the last interval ends. */
  readonly end: number
  /** Equal intervals side by side that all moved by `move`: `children` of `tile` each. */
  readonly isPlain: boolean
  readonly tile: number
  readonly move: number
  /** How often it occurs. */
  count: number
  /** Where it occurs, if padding is told apart. */
  readonly offsets: number[]
}

/** Between which steps a line is looked at: what moves it. */
interface Transition {
  /** The digit that advances, or −1 where it is of another dimension. */
  readonly advancing: number
  /** Temporal digits inside the loop that advances, which go back to 0. */
  readonly isReset: readonly boolean[]
  /** The digit whose neighbours forward, or −1. */
  readonly forwarding: number
}

/** What shapes are told apart by: their sizes; where they lie as well; which part of the fan-out their children are in as well. */
export interface Kind {
  readonly isPlaced: boolean
  readonly isBoxes: boolean
}

type Role = 'free' | 'child' | 'tile'

export class Lines {
  readonly #chains: Chains
  readonly #kind: Kind
  readonly #slots: number
  /** By chain and slot: where its states start in `lists` and `counts`. */
  #tables = new Int32Array(4096)
  readonly #forwarded = new Map<number, number>()
  #used = 1
  /** By state: the number of its list, −1 where not yet listed; and how often the list occurs. */
  lists = new Int32Array(4096)
  counts = new Float64Array(4096)
  readonly #known = new Map<string, number>()
  readonly #shapes: (readonly Shape[])[] = []
  /** By list: 1 where it is a single plain shape, and that shape's sizes. */
  isPlain = new Uint8Array(256)
  tile = new Float64Array(256)
  across = new Float64Array(256)
  move = new Float64Array(256)

  constructor(chains: Chains, kind: Kind) {
    this.#chains = chains
    this.#kind = kind
    this.#slots = chains.slots
  }

  get isFull(): boolean {
    return this.#shapes.length > MOST_LISTS || this.#used > MOST_STATES
  }

  /** To be called whenever the chains are forgotten. */
  clear(): void {
    this.#tables.fill(0)
    this.#forwarded.clear()
    this.#used = 1
    this.#known.clear()
    this.#shapes.length = 0
  }

  /**
   * Where the state of a chain lies in `lists` and `counts`. Of a chain with n temporal digits outside the child, states 0…n are
   * those in which a loop of another dimension advances that has so many of them outside it, n + 1… those in which its
   * own digits advance, outermost first.
   */
  stateOf(chain: number, slot: number, times: number, state: number): number {
    const table = chain * this.#slots + slot
    if (table >= this.#tables.length) this.#tables = grown(this.#tables, new Int32Array(2 * table))
    let start = this.#tables[table] ?? 0
    if (start === 0) {
      start = this.#reserve(2 * times + 1)
      this.#tables[table] = start
    }
    const at = start + state
    if (this.lists[at] === -1) this.#list(at, chain, slot, times, state, -1)
    return at
  }

  /** The same, with neighbours: `forwarding` is 3·level + axis of the digits that forward. */
  forwardedStateOf(chain: number, slot: number, times: number, state: number, forwarding: number): number {
    const key = ((chain * this.#slots + slot) * 512 + state) * 1024 + forwarding
    let at = this.#forwarded.get(key)
    if (at === undefined) {
      at = this.#reserve(1)
      this.#forwarded.set(key, at)
      this.#list(at, chain, slot, times, state, forwarding)
    }
    return at
  }

  listAt(list: number): readonly Shape[] {
    return this.#shapes[list] ?? []
  }

  #reserve(length: number): number {
    const at = this.#used
    this.#used += length
    while (this.#used > this.lists.length) {
      this.lists = grown(this.lists, new Int32Array(2 * this.lists.length))
      this.counts = grown(this.counts, new Float64Array(this.lists.length))
    }
    this.lists.fill(-1, at, this.#used)
    return at
  }

  #list(at: number, chain: number, slot: number, times: number, state: number, forwarding: number): void {
    const place = this.#chains.slotAt(slot)
    const dimension = this.#chains.spell(chain)
    const { digits } = this.#chains
    const temporal: number[] = []
    let along = -1
    for (let i = 0; i < digits.length; i++) {
      if (digits.axis[i] === 0 && (digits.level[i] ?? 0) < place.child) temporal.push(i)
      if (3 * (digits.level[i] ?? 0) + (digits.axis[i] ?? 0) === forwarding) along = i
    }
    const outside = state > times ? state - times : state
    const inside = new Set(temporal.slice(outside))
    const { isPlaced, isBoxes } = this.#kind
    const shapes = new Spread(this.#chains, place, this.#chains.extents[dimension] ?? 1, this.#kind, {
      advancing: state > times ? (temporal[outside - 1] ?? -1) : -1,
      isReset: Array.from({ length: digits.length }, (_, i) => inside.has(i)),
      forwarding: along,
    }).shapes()
    const common = isPlaced ? 1 : shapes.reduce((divisor, [, { count }]) => gcd(divisor, count), 0)
    this.counts[at] = common
    const levels = isBoxes ? place.child : ''
    const key = isPlaced ? '' : `${levels}|${shapes.map(([name, { count }]) => `${name} ${count / common}`).join('|')}`
    let list = isPlaced ? undefined : this.#known.get(key)
    if (list === undefined) {
      list = this.#shapes.length
      if (!isPlaced) this.#known.set(key, list)
      for (const [, shape] of shapes) shape.count /= Math.max(1, common)
      this.#enter(
        list,
        shapes.map(([, shape]) => shape),
      )
    }
    this.lists[at] = list
  }

  #enter(list: number, shapes: readonly Shape[]): void {
    this.#shapes.push(shapes)
    if (list >= this.isPlain.length) {
      const isPlain = new Uint8Array(2 * list)
      isPlain.set(this.isPlain)
      this.isPlain = isPlain
      this.tile = grown(this.tile, new Float64Array(2 * list))
      this.across = grown(this.across, new Float64Array(2 * list))
      this.move = grown(this.move, new Float64Array(2 * list))
    }
    const [only] = shapes
    this.isPlain[list] = shapes.length === 1 && only?.isPlain === true && !this.#kind.isPlaced ? 1 : 0
    this.tile[list] = only?.tile ?? 0
    this.across[list] = only?.children ?? 0
    this.move[list] = only?.move ?? 0
  }
}

/** All states of one line under one transition. */
class Spread {
  readonly #chains: Chains
  readonly #extent: number
  readonly #kind: Kind
  readonly #transition: Transition
  readonly #roles: readonly Role[]
  readonly #levels: number
  readonly #tile: number
  /** How far the children of one state reach. */
  readonly #span: number
  /** How far back at most the step before was: the loops that went back were there at their last trips. */
  readonly #back: number
  readonly #found = new Map<string, Shape>()

  constructor(chains: Chains, slot: Slot, extent: number, kind: Kind, transition: Transition) {
    this.#chains = chains
    this.#extent = extent
    this.#kind = kind
    this.#transition = transition
    const { length, bound, stride, level, axis } = chains.digits
    const roles: Role[] = []
    let tile = 1
    let span = 0
    let back = 0
    for (let i = 0; i < length; i++) {
      const reachOf = ((bound[i] ?? 1) - 1) * (stride[i] ?? 1)
      if ((level[i] ?? 0) >= slot.child) {
        roles.push('tile')
        tile *= bound[i] ?? 1
      } else if (axis[i] === 0 || !chains.isShared(slot, level[i] ?? 0)) {
        roles.push('free')
        if (transition.isReset[i] === true) back += reachOf
      } else {
        roles.push('child')
        span += reachOf
      }
    }
    if (transition.advancing !== -1) back -= stride[transition.advancing] ?? 0
    this.#roles = roles
    this.#levels = kind.isBoxes ? slot.child : 0
    this.#tile = tile
    this.#span = span + tile
    this.#back = back
  }

  /** Shapes by a name that says all of them. */
  shapes(): (readonly [string, Shape])[] {
    const { length } = this.#chains.digits
    const { bound, stride } = this.#chains.digits
    /** Of the loops from a digit inwards: how far their states reach, and how many there are. */
    const reaches = Array.from({ length: length + 1 }, () => 0)
    const ways = Array.from({ length: length + 1 }, () => 1)
    for (let i = length - 1; i >= 0; i--) {
      const isRun = this.#isRun(i)
      const trips = isRun ? (bound[i] ?? 1) : 1
      reaches[i] = (reaches[i + 1] ?? 0) + (trips - 1) * (stride[i] ?? 1)
      ways[i] = (ways[i + 1] ?? 1) * (i === this.#transition.advancing ? trips - 1 : trips)
    }
    // Far from the end of the extent all states look alike.
    let alike = 0
    const offsets: number[] = []
    const { isPlaced } = this.#kind
    const visit = (i: number, start: number): void => {
      if (start >= this.#extent) return
      const end = start + (reaches[i] ?? 0) + this.#span
      const isFar = this.#transition.forwarding === -1 && end <= this.#extent && end + this.#back <= this.#extent
      if (isFar && (!isPlaced || i === length)) {
        alike += ways[i] ?? 1
        if (isPlaced) offsets.push(start)
      } else if (i === length) this.#add(start, this.#extent, 1, [start])
      else if (!this.#isRun(i)) visit(i + 1, start)
      else {
        for (let trip = i === this.#transition.advancing ? 1 : 0; trip < (bound[i] ?? 1); trip++) {
          visit(i + 1, start + trip * (stride[i] ?? 1))
        }
      }
    }
    visit(0, 0)
    if (alike > 0) this.#add(0, Infinity, alike, offsets)
    return [...this.#found.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1))
  }

  /** Whether the states run over a digit's trips. */
  #isRun(i: number): boolean {
    return this.#roles[i] === 'free' && this.#transition.isReset[i] !== true
  }

  #add(start: number, extent: number, count: number, offsets: readonly number[]): void {
    const { length, bound, stride, level } = this.#chains.digits
    const { isPlaced, isBoxes } = this.#kind
    const starts: number[] = []
    const places: number[] = []
    const at = Array.from({ length: this.#levels }, () => 0)
    const place = (i: number, now: number): void => {
      if (now >= extent) return
      if (i === length) {
        starts.push(now)
        if (isBoxes) places.push(...at)
        return
      }
      if (this.#roles[i] !== 'child') return place(i + 1, now)
      const here = level[i] ?? 0
      const outer = at[here] ?? 0
      for (let trip = 0; trip < (bound[i] ?? 1); trip++) {
        at[here] = outer * (bound[i] ?? 1) + trip
        place(i + 1, now + trip * (stride[i] ?? 1))
      }
      at[here] = outer
    }
    place(0, start)
    const lengthOf = (from: number): number => Math.min(this.#tile, extent - from)
    const before = starts.map((now) => this.#before(now, extent))
    const near = starts.flatMap((now) => this.#near(now, extent))
    const name = starts
      .map((now, i) => `${now - start},${lengthOf(now)},${(before[i] ?? 0) - start},${lengthOf(before[i] ?? 0)}`)
      .concat(isBoxes ? places.join(',') : [])
      .concat(near.map((there) => (there === -1 ? '-' : `${there - start}:${lengthOf(there)}`)))
      .join(' ')
    const known = this.#found.get(name)
    if (known !== undefined) {
      known.count += count
      if (isPlaced) known.offsets.push(...offsets)
      return
    }
    const tile = lengthOf(start)
    const move = start - (before[0] ?? start)
    this.#found.set(name, {
      children: starts.length,
      now: Float64Array.from(starts, (now) => now - start),
      length: Float64Array.from(starts, lengthOf),
      before: Float64Array.from(before, (then) => then - start),
      beforeLength: Float64Array.from(before, lengthOf),
      near: Float64Array.from(near, (there) => there - start),
      nearLength: Float64Array.from(near, (there) => (there === -1 ? 0 : lengthOf(there))),
      levels: this.#levels,
      places: Int32Array.from(places),
      end: Math.max(...starts.map((now) => now - start + lengthOf(now))),
      isPlain:
        !isBoxes &&
        near.length === 0 &&
        starts.every((now, i) => {
          const then = before[i] ?? 0
          return now === start + i * tile && lengthOf(now) === tile && lengthOf(then) === tile && now - then === move
        }),
      tile,
      move,
      count,
      offsets: isPlaced ? [...offsets] : [],
    })
  }

  /** Where the child that starts at `now` was in the step before: each loop that went back was at its last trip. */
  #before(now: number, extent: number): number {
    const { length, bound, stride } = this.#chains.digits
    const { advancing, isReset } = this.#transition
    let before = advancing === -1 ? now : now - (stride[advancing] ?? 0)
    for (let i = 0; i < length; i++) {
      if (isReset[i] !== true) continue
      const pitch = stride[i] ?? 1
      before += Math.min((bound[i] ?? 1) - 1, Math.floor((extent - 1 - before) / pitch)) * pitch
    }
    return before
  }

  /** Where the two neighbours of a child were in the step before; −1 where there is none. */
  #near(now: number, extent: number): number[] {
    const { forwarding } = this.#transition
    if (forwarding === -1) return []
    const stride = this.#chains.digits.stride[forwarding] ?? 1
    const bound = this.#chains.digits.bound[forwarding] ?? 1
    const trip = Math.floor(now / stride) % bound
    return [trip - 1, trip + 1].map((other) => {
      const there = now + (other - trip) * stride
      return other < 0 || other >= bound || there >= extent ? -1 : this.#before(there, extent)
    })
  }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
