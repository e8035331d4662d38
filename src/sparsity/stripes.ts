/**
 * Channels dealt out in stripes of four, and what pruning 2:4 keeps of them. Think of a table for card games where each player
 * holds four cards and puts the two lowest away, once for every line of the matrix: a search swaps cards between players.
 *
 *     place    0  1  2  3 | 4  5  6  7 | …      stripe = ⌊place/4⌋
 *     channel  order[0]  …
 *
 * A swap is judged without touching the stripe: if the channel at a place is taken out, three are left; per line, the largest of
 * them stays and the second largest, s, competes with what is put in. A column x put there makes the stripe keep
 *
 *     Σ first + Σ max(s, x)  =  Σ first + ½ Σ s + ½ Σ x + ½ Σ |x − s|
 *
 * so only the distance Σ|x − s| is new, a difference and a sum per line. s is kept for every place and renewed for the eight
 * places of two stripes when they swap.
 */

/** Channels of a stripe, and how many 2:4 keeps. */
export const STRIPE = 4

/** Lines are padded to a whole number of this, the unrolling of the sums. */
const UNROLLED = 4

export class Stripes {
  /** Channels, those that fill the last stripe included: they are zero and stay where they are. */
  readonly places: number
  readonly count: number
  /** Channels that may move: those before the fillers. */
  readonly channels: number
  /** By place, the channel there. */
  readonly order: Uint32Array
  /** By stripe, Σ over lines of the two largest. */
  readonly kept: Float64Array
  /** Channel-major, `lines` (padded) each. */
  readonly columns: Float32Array
  readonly lines: number
  /** By place: second largest of the other three, each line. */
  readonly #second: Float32Array
  /** By place: Σ first + ½ Σ s. */
  readonly #base: Float64Array
  /** By channel: ½ Σ x. */
  readonly #half: Float64Array

  /** @param magnitudes line-major, [lines, channels] */
  constructor(magnitudes: Float32Array, lines: number, channels: number) {
    this.channels = channels
    this.count = Math.ceil(channels / STRIPE)
    this.places = this.count * STRIPE
    this.lines = Math.ceil(lines / UNROLLED) * UNROLLED
    this.columns = columnsOf(magnitudes, lines, channels, this.lines, this.places)
    this.order = Uint32Array.from({ length: this.places }, (_, place) => place)
    this.kept = new Float64Array(this.count)
    this.#second = new Float32Array(this.columns.length)
    this.#base = new Float64Array(this.places)
    this.#half = new Float64Array(this.places)
    for (let channel = 0; channel < this.places; channel++) {
      let sum = 0
      for (let at = channel * this.lines, end = at + this.lines; at < end; at++) sum += this.columns[at] ?? 0
      this.#half[channel] = sum / 2
    }
    for (let stripe = 0; stripe < this.count; stripe++) this.renew(stripe)
  }

  /** Σ of what all stripes keep. */
  get total(): number {
    return this.kept.reduce((sum, kept) => sum + kept, 0)
  }

  /** What the stripe of a place would keep with a channel there instead of its own. One evaluation. */
  filled(place: number, channel: number): number {
    const distance = distanceOf(this.columns, channel * this.lines, this.#second, place * this.lines, this.lines)
    return (this.#base[place] ?? 0) + (this.#half[channel] ?? 0) + distance / 2
  }

  /** How much more would be kept if the channels of two places of different stripes changed places. Two evaluations. */
  gain(place: number, other: number): number {
    const { order, kept } = this
    return (
      this.filled(place, order[other] ?? 0) +
      this.filled(other, order[place] ?? 0) -
      (kept[place >> 2] ?? 0) -
      (kept[other >> 2] ?? 0)
    )
  }

  /**
   * What a stripe would keep with each of its places filled by each of two channels: `filled` of place 0…3 and `channel`, then of
   * `other`, into `into`. Eight evaluations in half the time, as what is read serves several.
   */
  fillings(stripe: number, channel: number, other: number, into: Float64Array): void {
    const { columns, lines } = this
    const second = this.#second
    const base = this.#base
    const x = channel * lines
    const y = other * lines
    const place = stripe * STRIPE
    const p = place * lines
    const q = p + lines
    const r = q + lines
    const s = r + lines
    let xp = 0
    let xq = 0
    let xr = 0
    let xs = 0
    let yp = 0
    let yq = 0
    let yr = 0
    let ys = 0
    for (let line = 0; line < lines; line++) {
      const u = columns[x + line] ?? 0
      const v = columns[y + line] ?? 0
      const a = second[p + line] ?? 0
      const b = second[q + line] ?? 0
      const c = second[r + line] ?? 0
      const d = second[s + line] ?? 0
      xp += Math.abs(u - a)
      xq += Math.abs(u - b)
      xr += Math.abs(u - c)
      xs += Math.abs(u - d)
      yp += Math.abs(v - a)
      yq += Math.abs(v - b)
      yr += Math.abs(v - c)
      ys += Math.abs(v - d)
    }
    const halfX = this.#half[channel] ?? 0
    const halfY = this.#half[other] ?? 0
    into[0] = (base[place] ?? 0) + halfX + xp / 2
    into[1] = (base[place + 1] ?? 0) + halfX + xq / 2
    into[2] = (base[place + 2] ?? 0) + halfX + xr / 2
    into[3] = (base[place + 3] ?? 0) + halfX + xs / 2
    into[4] = (base[place] ?? 0) + halfY + yp / 2
    into[5] = (base[place + 1] ?? 0) + halfY + yq / 2
    into[6] = (base[place + 2] ?? 0) + halfY + yr / 2
    into[7] = (base[place + 3] ?? 0) + halfY + ys / 2
  }

  /** What a stripe of these four channels would keep. About two evaluations. */
  keptBy(first: number, second: number, third: number, fourth: number): number {
    const { columns, lines } = this
    const half = this.#half
    const p = first * lines
    const q = second * lines
    const r = third * lines
    const s = fourth * lines
    let twice = 0
    for (let line = 0; line < lines; line++) {
      const a = columns[p + line] ?? 0
      const b = columns[q + line] ?? 0
      const c = columns[r + line] ?? 0
      const d = columns[s + line] ?? 0
      // The two largest are one of each pair, or a pair: 2 · Σ = a + b + c + d + max(|a − b| + |c − d|, |a + b − c − d|).
      const split = Math.abs(a - b) + Math.abs(c - d)
      const whole = Math.abs(a + b - c - d)
      twice += split + whole + Math.abs(split - whole)
    }
    return (half[first] ?? 0) + (half[second] ?? 0) + (half[third] ?? 0) + (half[fourth] ?? 0) + twice / 4
  }

  /** Takes an order of all places. */
  take(order: Uint32Array): void {
    this.order.set(order)
    for (let stripe = 0; stripe < this.count; stripe++) this.renew(stripe)
  }

  /** Lets the channels of two places change places. */
  swap(place: number, other: number): void {
    const { order } = this
    const channel = order[place] ?? 0
    order[place] = order[other] ?? 0
    order[other] = channel
    this.renew(place >> 2)
    this.renew(other >> 2)
  }

  /** Works out anew what a stripe keeps, after its channels were changed. About four evaluations. */
  renew(stripe: number): void {
    const { order, columns, lines, kept } = this
    const second = this.#second
    const place = stripe * STRIPE
    const a = (order[place] ?? 0) * lines
    const b = (order[place + 1] ?? 0) * lines
    const c = (order[place + 2] ?? 0) * lines
    const d = (order[place + 3] ?? 0) * lines
    const at = place * lines
    let total = 0
    for (let line = 0; line < lines; line++) {
      const wa = columns[a + line] ?? 0
      const wb = columns[b + line] ?? 0
      const wc = columns[c + line] ?? 0
      const wd = columns[d + line] ?? 0
      const highAb = Math.max(wa, wb)
      const lowAb = Math.min(wa, wb)
      const highCd = Math.max(wc, wd)
      const lowCd = Math.min(wc, wd)
      // Sorted, the two in the middle: m ≥ n. Without one of the two largest the third is second, without another the second.
      const crossed = Math.min(highAb, highCd)
      const raised = Math.max(lowAb, lowCd)
      const m = Math.max(crossed, raised)
      const n = Math.min(crossed, raised)
      total += Math.max(highAb, highCd) + m
      second[at + line] = wa >= m ? n : m
      second[at + lines + line] = wb >= m ? n : m
      second[at + 2 * lines + line] = wc >= m ? n : m
      second[at + 3 * lines + line] = wd >= m ? n : m
    }
    kept[stripe] = total
    for (let hole = place; hole < place + STRIPE; hole++) {
      const channel = order[hole] ?? 0
      const distance = distanceOf(columns, channel * lines, second, hole * lines, lines)
      this.#base[hole] = total - (this.#half[channel] ?? 0) - distance / 2
    }
  }
}

/** Σ |x − y| over a stretch of two arrays; `length` is a multiple of 4. Four sums, as one would wait for itself. */
function distanceOf(x: Float32Array, xAt: number, y: Float32Array, yAt: number, length: number): number {
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  for (let at = 0; at < length; at += UNROLLED) {
    a += Math.abs((x[xAt + at] ?? 0) - (y[yAt + at] ?? 0))
    b += Math.abs((x[xAt + at + 1] ?? 0) - (y[yAt + at + 1] ?? 0))
    c += Math.abs((x[xAt + at + 2] ?? 0) - (y[yAt + at + 2] ?? 0))
    d += Math.abs((x[xAt + at + 3] ?? 0) - (y[yAt + at + 3] ?? 0))
  }
  return a + b + (c + d)
}

/** Transposed and padded with zeros; in bands of channels, so that what is written stays near. */
function columnsOf(magnitudes: Float32Array, lines: number, channels: number, padded: number, places: number): Float32Array {
  const columns = new Float32Array(places * padded)
  for (let from = 0; from < channels; from += 16) {
    const to = Math.min(from + 16, channels)
    for (let line = 0; line < lines; line++) {
      for (let channel = from; channel < to; channel++) {
        columns[channel * padded + line] = magnitudes[line * channels + channel] ?? 0
      }
    }
  }
  return columns
}
