/**
 * Greedy swaps among some stripes: the best swap of all is made, and only what it touched is judged anew. Think of a trading floor
 * with a board: for every two stripes it says which two channels had best change places, and what both would gain.
 *
 *     filled [stripe][channel][place]   what the stripe keeps with the channel at the place
 *     gains  [stripe][stripe]           best of 4 × 4 swaps, from four numbers of `filled` each
 *
 * A swap changes two stripes: 2 · 4 places × channels sums are made anew, and the gains in two rows and columns.
 */
import { STRIPE, type Stripes } from './stripes.ts'

export class SwapTable {
  readonly #all: Stripes
  /** Stripes of the whole that take part. */
  readonly #stripes: Uint32Array
  readonly #filled: Float64Array
  /** By two stripes, smaller first: the most that a swap gains, and which: 4 · place + place. */
  readonly #gains: Float64Array
  readonly #swaps: Uint8Array
  /** By stripe, the best of its row of gains, and with which. */
  readonly #rowGain: Float64Array
  readonly #rowBest: Uint32Array
  /** By place, which of the channels that take part is there; they are numbered by the place where they began. */
  readonly #held: Uint32Array
  readonly #channels: Uint32Array
  readonly #pair = new Float64Array(2 * STRIPE)
  /** A swap that gains less is none: sums of f32 numbers are not exact. */
  readonly #least: number
  /** Sums over all lines since they were last taken. */
  #evaluations = 0

  constructor(all: Stripes, stripes: Uint32Array, least: number) {
    const count = stripes.length
    this.#all = all
    this.#stripes = stripes
    this.#least = least
    this.#filled = new Float64Array(count * count * STRIPE * STRIPE)
    this.#gains = new Float64Array(count * count)
    this.#swaps = new Uint8Array(count * count)
    this.#rowGain = new Float64Array(count)
    this.#rowBest = new Uint32Array(count)
    this.#held = Uint32Array.from({ length: count * STRIPE }, (_, place) => place)
    this.#channels = this.#held.map((place) => all.order[this.#placeOf(place)] ?? 0)
    for (let stripe = 0; stripe < count; stripe++) this.#fill(stripe)
    for (let stripe = 0; stripe < count; stripe++) this.#row(stripe)
  }

  /** What making a table of some stripes takes. */
  static evaluations(stripes: number): number {
    return stripes * fillEvaluations(stripes * STRIPE)
  }

  /** What a swap takes. */
  get swapEvaluations(): number {
    return 2 * fillEvaluations(this.places)
  }

  get places(): number {
    return this.#held.length
  }

  /** Sums over all lines since this was last called. */
  takeEvaluations(): number {
    const evaluations = this.#evaluations
    this.#evaluations = 0
    return evaluations
  }

  /** Whether the place has a channel that may leave it: fillers stay. */
  isMovable(place: number): boolean {
    return (place & 3) < this.#movable(place >> 2)
  }

  /** Makes the best swap, if one gains. @returns what it gained, or 0 */
  step(): number {
    const stripe = this.#bestRow()
    const gain = this.#rowGain[stripe] ?? 0
    if (!(gain > this.#least)) return 0
    const other = this.#rowBest[stripe] ?? 0
    const swap = this.#swaps[stripe * this.#stripes.length + other] ?? 0
    this.swap(stripe * STRIPE + (swap >> 2), other * STRIPE + (swap & 3))
    return gain
  }

  /** What swapping two places of different stripes gains: looked up. */
  gain(place: number, other: number): number {
    const width = this.#channels.length * STRIPE
    const filled = this.#filled
    const stripe = place >> 2
    const their = other >> 2
    const mine = filled[stripe * width + (this.#held[other] ?? 0) * STRIPE + (place & 3)] ?? 0
    const theirs = filled[their * width + (this.#held[place] ?? 0) * STRIPE + (other & 3)] ?? 0
    const { kept } = this.#all
    return mine + theirs - (kept[this.#stripes[stripe] ?? 0] ?? 0) - (kept[this.#stripes[their] ?? 0] ?? 0)
  }

  /** Swaps two places of those that take part, whatever it gains. */
  swap(place: number, other: number): void {
    const held = this.#held
    const channel = held[place] ?? 0
    held[place] = held[other] ?? 0
    held[other] = channel
    this.#all.swap(this.#placeOf(place), this.#placeOf(other))
    this.#refresh([place >> 2, other >> 2])
  }

  /** Judges stripes anew whose channels were changed. */
  #refresh(changed: readonly number[]): void {
    for (const stripe of changed) this.#fill(stripe)
    for (const stripe of changed) this.#row(stripe)
    const count = this.#stripes.length
    for (let stripe = 0; stripe < count; stripe++) {
      if (changed.includes(stripe)) continue
      let isStale = false
      for (const other of changed) {
        if (other < stripe) continue
        this.#judge(stripe, other)
        if (this.#rowBest[stripe] === other) isStale = true
      }
      if (isStale) this.#best(stripe)
      else {
        for (const other of changed) {
          if (other > stripe && (this.#gains[stripe * count + other] ?? 0) > (this.#rowGain[stripe] ?? 0)) {
            this.#rowGain[stripe] = this.#gains[stripe * count + other] ?? 0
            this.#rowBest[stripe] = other
          }
        }
      }
    }
  }

  #placeOf(place: number): number {
    return (this.#stripes[place >> 2] ?? 0) * STRIPE + (place & 3)
  }

  /** What a stripe keeps with each channel at each of its places. */
  #fill(stripe: number): void {
    const channels = this.#channels
    const filled = this.#filled
    const pair = this.#pair
    const whole = this.#stripes[stripe] ?? 0
    let at = stripe * channels.length * STRIPE
    for (let channel = 0; channel < channels.length; channel += 2) {
      this.#all.fillings(whole, channels[channel] ?? 0, channels[channel + 1] ?? 0, pair)
      for (let index = 0; index < pair.length; index++) filled[at++] = pair[index] ?? 0
    }
    this.#evaluations += fillEvaluations(channels.length)
  }

  #row(stripe: number): void {
    for (let other = stripe + 1; other < this.#stripes.length; other++) this.#judge(stripe, other)
    this.#best(stripe)
  }

  #best(stripe: number): void {
    const count = this.#stripes.length
    let gain = 0
    let best = 0
    for (let other = stripe + 1; other < count; other++) {
      if ((this.#gains[stripe * count + other] ?? 0) > gain) {
        gain = this.#gains[stripe * count + other] ?? 0
        best = other
      }
    }
    this.#rowGain[stripe] = gain
    this.#rowBest[stripe] = best
  }

  #bestRow(): number {
    let best = 0
    for (let stripe = 1; stripe < this.#rowGain.length; stripe++) {
      if ((this.#rowGain[stripe] ?? 0) > (this.#rowGain[best] ?? 0)) best = stripe
    }
    return best
  }

  /** The best swap between two stripes, the first before the second. */
  #judge(stripe: number, other: number): void {
    const filled = this.#filled
    const held = this.#held
    const width = this.#channels.length * STRIPE
    const mine = this.#movable(stripe)
    const theirs = this.#movable(other)
    let best = -Infinity
    let swap = 0
    for (let i = 0; i < mine; i++) {
      const x = held[stripe * STRIPE + i] ?? 0
      for (let j = 0; j < theirs; j++) {
        const y = held[other * STRIPE + j] ?? 0
        const both = (filled[stripe * width + y * STRIPE + i] ?? 0) + (filled[other * width + x * STRIPE + j] ?? 0)
        if (both > best) {
          best = both
          swap = i * STRIPE + j
        }
      }
    }
    const at = stripe * this.#stripes.length + other
    const { kept } = this.#all
    this.#gains[at] = best - (kept[this.#stripes[stripe] ?? 0] ?? 0) - (kept[this.#stripes[other] ?? 0] ?? 0)
    this.#swaps[at] = swap
  }

  /** Channels of a stripe that may leave it: fillers are its last, and stay. */
  #movable(stripe: number): number {
    return Math.min(STRIPE, this.#all.channels - (this.#stripes[stripe] ?? 0) * STRIPE)
  }
}

/** A stripe with each channel at each place, and what it is itself. */
function fillEvaluations(channels: number): number {
  return STRIPE * channels + STRIPE
}
