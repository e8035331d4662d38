/**
 * The states of one loop dimension, between a parent and its child: think of a row of children, each over an interval of the
 * dimension, now and in the step before. States of the same shape are counted once, wherever they lie (but where padding is told
 * apart); lists of shapes are numbered, so that two of them can be looked up together (`sliding.ts`).
 */
import { HashTable } from './hash.ts'
import { grown, type Chains } from './loops.ts'
import { Spread, type Kind, type Shape } from './spread.ts'

const MOST_LISTS = 2 ** 17
const MOST_STATES = 2 ** 20

export class Lines {
  readonly #chains: Chains
  readonly #kind: Kind
  readonly #slots: number
  readonly #spread: Spread
  /** By chain and slot: where its states start in `lists` and `counts`. */
  #tables = new Int32Array(256)
  readonly #forwarded = new Map<number, number>()
  #used = 1
  /** By state: the number of its list, −1 where not yet listed; and how often the list occurs. */
  lists = new Int32Array(256)
  counts = new Float64Array(256)
  readonly #known = new Map<string, number>()
  /** Plain lists: sizes by tile and children, lists by sizes and move. */
  readonly #sizes = new HashTable()
  readonly #plain = new HashTable()
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
    this.#spread = new Spread(chains, kind)
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
    this.#sizes.clear()
    this.#plain.clear()
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
    const { isPlaced } = this.#kind
    const isOwn = state > times
    const outside = isOwn ? state - times : state
    const shapes = this.#spread.shapes(place, this.#chains.extents[dimension] ?? 1, outside, isOwn, forwarding)
    const [only] = shapes
    if (isPlaced || only === undefined || shapes.length > 1 || !only.isPlain) {
      const common = isPlaced ? 1 : shapes.reduce((divisor, { count }) => gcd(divisor, count), 0)
      for (const shape of shapes) shape.count /= Math.max(1, common)
      this.counts[at] = common
      this.lists[at] = this.#listOf(shapes)
      return
    }
    this.counts[at] = only.count
    only.count = 1
    const sizes = this.#sizes.number(only.tile, only.children)
    const list = this.#plain.find(sizes, only.move)
    if (list === -1) this.#plain.add(sizes, only.move, this.#enter(shapes))
    this.lists[at] = list === -1 ? this.#shapes.length - 1 : this.#plain.valueAt(list)
  }

  /** The number of a list of several shapes, or of children that differ. */
  #listOf(shapes: readonly Shape[]): number {
    if (this.#kind.isPlaced) return this.#enter(shapes)
    const names = shapes.map(({ isPlain, children, tile, move, levels, cells, count }) =>
      isPlain ? `${count}:${children},${tile},${move}` : `${count}:${levels};${cells.join()}`,
    )
    const key = names.join('|')
    let list = this.#known.get(key)
    if (list === undefined) this.#known.set(key, (list = this.#enter(shapes)))
    return list
  }

  #enter(shapes: readonly Shape[]): number {
    const list = this.#shapes.length
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
    return list
  }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
