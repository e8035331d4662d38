/**
 * The search for an order of channels: think of dealers who first trade in small rooms, then in larger ones, and when nobody finds
 * a trade any more, agree to some bad ones to get out of the rut.
 *
 * 1. Greedy swaps in neighbourhoods of 16 stripes chosen at random, then of 32, and so on up to the largest table (`swaps.ts`).
 *    Most is gained while tables are small and swaps cheap.
 * 2. Every two stripes are dealt anew in all 35 ways (`stripe-groups.ts`).
 * 3. Escapes: swaps at random, those that lose taken with probability exp(gain/T) while T falls (Kirkpatrick, Gelatt, Vecchi,
 *    Science 1983), then 1 again. What gets worse is undone: the next escape begins from the best order.
 */
import type { Random } from '../schedule/search/random.ts'
import { PAIR_EVALUATIONS, redeal } from './stripe-groups.ts'
import { STRIPE, type Stripes } from './stripes.ts'
import { SwapTable } from './swaps.ts'

const SMALLEST_ROOM = 16
/** Stripes of the largest table: 512 channels, 2 MiB. */
const LARGEST_ROOM = 128
/** Part of the budget that dealing two stripes anew may spend at a time. */
const DEALING = 0.15
/** Escapes begin at this part of what a swap at random gains or loses, and end at a tenth of it. */
const WARM = 0.2
const COOLED = 0.1
/** Swaps proposed in an escape, by channels squared; looking one up costs no evaluation. */
const PROPOSALS = 40
/** An escape spends no more than what this many swaps for each channel do. */
const SWAPS = 8
/** Work between two steps of the search: lines × evaluations, some 20 ms. */
const STEP = 2 ** 25

export class StripeSearch {
  readonly #stripes: Stripes
  readonly #random: Random
  readonly #budget: number
  readonly #least: number
  readonly #best: Uint32Array
  #kept: number
  #reported = 0
  spent = 0

  constructor(stripes: Stripes, random: Random, budget: number) {
    this.#stripes = stripes
    this.#random = random
    this.#budget = budget
    this.#best = stripes.order.slice()
    this.#kept = stripes.total
    this.#least = 1e-9 * this.#kept
  }

  /** By place, the channel of the best order found so far, and what is kept in it. */
  get best(): { readonly order: Uint32Array; readonly kept: number } {
    this.#remember()
    return { order: this.#best, kept: this.#kept }
  }

  /** Until the budget is spent. May be left at any step. */
  *run(): Generator<void, void> {
    const { count, channels } = this.#stripes
    const scale = this.#scale()
    for (let room = Math.min(count, SMALLEST_ROOM); ; room = Math.min(2 * room, count, LARGEST_ROOM)) {
      for (const stripes of this.#rooms(room)) yield* this.#trade(this.#table(stripes))
      if (room === Math.min(count, LARGEST_ROOM)) break
    }
    yield* this.#deal()
    this.#remember()
    for (;;) {
      const [stripes = new Uint32Array()] = this.#rooms(Math.min(count, LARGEST_ROOM))
      const table = this.#table(stripes)
      if (table === undefined) return
      yield* this.#escape(table, WARM * scale)
      yield* this.#trade(table)
      if (channels < 2 * STRIPE * LARGEST_ROOM) yield* this.#deal()
      if (!this.#remember()) this.#stripes.take(this.#best)
    }
  }

  #affords(evaluations: number): boolean {
    return this.spent + evaluations <= this.#budget
  }

  get #isDue(): boolean {
    if ((this.spent - this.#reported) * this.#stripes.lines < STEP) return false
    this.#reported = this.spent
    return true
  }

  /** Whether this is the best so far. */
  #remember(): boolean {
    const kept = this.#stripes.total
    if (!(kept > this.#kept)) return false
    this.#kept = kept
    this.#best.set(this.#stripes.order)
    return true
  }

  /** The first `count` stripes in a random order. */
  #shuffled(count: number): Uint32Array {
    const stripes = Uint32Array.from({ length: count }, (_, stripe) => stripe)
    for (let at = count - 1; at > 0; at--) {
      const other = this.#random.below(at + 1)
      const stripe = stripes[at] ?? 0
      stripes[at] = stripes[other] ?? 0
      stripes[other] = stripe
    }
    return stripes
  }

  /** Stripes dealt at random into rooms of a size; the last may be smaller. */
  #rooms(size: number): Uint32Array[] {
    const all = this.#shuffled(this.#stripes.count)
    const rooms: Uint32Array[] = []
    for (let at = 0; at < all.length; at += size) rooms.push(all.slice(at, at + size).sort())
    return rooms
  }

  #table(stripes: Uint32Array): SwapTable | undefined {
    if (stripes.length < 2 || !this.#affords(SwapTable.evaluations(stripes.length))) return undefined
    const table = new SwapTable(this.#stripes, stripes, this.#least)
    this.spent += table.takeEvaluations()
    return table
  }

  /** Swaps while one gains. */
  *#trade(table: SwapTable | undefined): Generator<void, void> {
    while (table !== undefined && this.#affords(table.swapEvaluations) && table.step() > 0) {
      this.spent += table.takeEvaluations()
      if (this.#isDue) yield
    }
  }

  /** Two full stripes at a time, those that changed since they were last looked at. */
  *#deal(): Generator<void, void> {
    const { count, channels } = this.#stripes
    // Fillers do not move, so a short stripe is left to the swaps. All pairs in a random order, as not all may be affordable.
    const full = channels % STRIPE === 0 ? count : count - 1
    const shuffled = this.#shuffled(full)
    const end = Math.min(this.#budget, this.spent + DEALING * this.#budget)
    let changed = new Uint8Array(full).fill(1)
    for (let any = true; any;) {
      any = false
      const next = new Uint8Array(full)
      for (let gap = 1; gap < full; gap++) {
        for (let at = 0; at + gap < full; at++) {
          const stripe = shuffled[at] ?? 0
          const other = shuffled[at + gap] ?? 0
          if (changed[stripe] === 0 && changed[other] === 0) continue
          if (this.spent + PAIR_EVALUATIONS > end) return
          this.spent += PAIR_EVALUATIONS
          if (redeal(this.#stripes, stripe, other, this.#least) > 0) {
            next[stripe] = next[other] = 1
            any = true
          }
          if (this.#isDue) yield
        }
      }
      changed = next
    }
  }

  /**
   * Swaps at random, those that lose with probability exp(gain/T). T falls with what is done: swaps proposed, or evaluations
   * spent, whichever is further.
   */
  *#escape(table: SwapTable, warm: number): Generator<void, void> {
    const random = this.#random
    const places = table.places
    const proposals = PROPOSALS * places * places
    const began = this.spent
    const swap = table.swapEvaluations
    const allowed = Math.min(this.#budget - began, SWAPS * places * swap)
    for (let proposal = 0; proposal < proposals; proposal++) {
      const progress = Math.max(proposal / proposals, (this.spent - began) / allowed)
      if (progress >= 1 || !this.#affords(swap)) return
      const place = random.below(places)
      const other = random.below(places)
      if (place >> 2 === other >> 2 || !table.isMovable(place) || !table.isMovable(other)) continue
      const gain = table.gain(place, other)
      const temperature = warm * COOLED ** progress
      if (gain <= 0 && random.next() >= Math.exp(gain / temperature)) continue
      table.swap(place, other)
      this.spent += table.takeEvaluations()
      if (this.#isDue) yield
    }
  }

  /** What a swap gains or loses, as it is: the root mean square of some at random. */
  #scale(): number {
    const { channels } = this.#stripes
    let squares = 0
    let count = 0
    for (let at = 0; at < 200 && this.#affords(2); at++) {
      const place = this.#random.below(channels)
      const other = this.#random.below(channels)
      if (place >> 2 === other >> 2) continue
      squares += this.#stripes.gain(place, other) ** 2
      this.spent += 2
      count++
    }
    return Math.sqrt(squares / Math.max(1, count))
  }
}
