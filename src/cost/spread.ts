/**
 * Which shapes the states of one loop dimension have: think of walking a row of children along the dimension, and noting each
 * arrangement the first time it is seen. Far from the end of the extent all arrangements are alike, so only those near the
 * end are looked at one by one.
 */
import { MappingError } from '../errors.ts'
import { grown, type Chains, type Slot } from './loops.ts'

/** States that are told apart, and children of one: more is no design, and would take for ever. */
const MOST_PLACED = 2 ** 23
/** Comparisons of states looked at one by one: those near an end, and all where neighbours hand on. */
const MOST_COMPARED = 2 ** 18
const MOST_CHILDREN = 2 ** 20
const NONE: readonly number[] = []

/** One state, relative to its first coordinate. */
export interface Shape {
  readonly children: number
  /**
   * By child, `width` numbers: where its interval starts and how long it is, now and in the step before; with forwarding, the same
   * of its two neighbours in the step before (length 0 where there is none); for boxes, which part of each level's fan-out it
   * is in. Empty for plain shapes.
   */
  readonly cells: readonly number[]
  readonly width: number
  readonly hasNear: boolean
  /** Levels of fan-out told apart. */
  readonly levels: number
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

/** What shapes are told apart by: their sizes; where they lie as well; which part of the fan-out their children are in as well. */
export interface Kind {
  readonly isPlaced: boolean
  readonly isBoxes: boolean
}

/** All states of one line: what moves it is a loop with `outside` of its temporal digits outside that loop, or the last of these. */
export class Spread {
  readonly #chains: Chains
  readonly #kind: Kind
  #extent = 1
  #levels = 0
  #tile = 1
  /** How far the children of one state reach. */
  #span = 1
  /** How far back at most the step before was: the loops that went back were there at their last trips. */
  #back = 0
  /** The digit that advances, or −1 where it is of another dimension; the one whose neighbours forward, or −1. */
  #advancing = -1
  #forwarding = -1
  /** By digit: 1 where the states run over its trips, where it tells children apart, where it went back to 0. */
  readonly #isRun = new Uint8Array(256)
  readonly #isChild = new Uint8Array(256)
  readonly #isReset = new Uint8Array(256)
  /** Of the digits from one inwards: how far their states reach, and how many there are. */
  readonly #reaches = new Float64Array(257)
  readonly #ways = new Float64Array(257)
  /** Where children start. */
  #starts = new Float64Array(256)
  #children = 0
  /** States far from the end of the extent, which all look alike. */
  #alike = 0
  #compared = 0
  #offsets: number[] = []
  #found: Shape[] = []
  /** The state being looked at, see Shape. */
  #cells = new Float64Array(64)
  #width = 4

  constructor(chains: Chains, kind: Kind) {
    this.#chains = chains
    this.#kind = kind
  }

  /** Shapes of the chain that was spelt last, each once. */
  shapes(slot: Slot, extent: number, outside: number, isOwn: boolean, forwarding: number): Shape[] {
    const { length, bound, stride, level, axis } = this.#chains.digits
    this.#extent = extent
    this.#levels = this.#kind.isBoxes ? slot.child : 0
    this.#tile = 1
    this.#advancing = -1
    this.#forwarding = -1
    let span = 0
    let back = 0
    let times = 0
    for (let i = 0; i < length; i++) {
      const at = level[i] ?? 0
      const isOutside = at < slot.child
      const isTemporal = isOutside && axis[i] === 0
      if (isTemporal && ++times === outside && isOwn) this.#advancing = i
      const isReset = isTemporal && times > outside
      const isChild = isOutside && !isTemporal && this.#chains.isShared(slot, at)
      this.#isReset[i] = isReset ? 1 : 0
      this.#isChild[i] = isChild ? 1 : 0
      this.#isRun[i] = isOutside && !isReset && !isChild ? 1 : 0
      const reach = ((bound[i] ?? 1) - 1) * (stride[i] ?? 1)
      if (!isOutside) this.#tile *= bound[i] ?? 1
      if (isReset) back += reach
      if (isChild) span += reach
      if (3 * at + (axis[i] ?? 0) === forwarding) this.#forwarding = i
    }
    this.#width = (this.#forwarding === -1 ? 4 : 8) + this.#levels
    this.#span = span + this.#tile
    this.#back = this.#advancing === -1 ? back : back - (stride[this.#advancing] ?? 0)
    this.#reaches[length] = 0
    this.#ways[length] = 1
    for (let i = length - 1; i >= 0; i--) {
      const trips = this.#isRun[i] === 1 ? (bound[i] ?? 1) : 1
      this.#reaches[i] = (this.#reaches[i + 1] ?? 0) + (trips - 1) * (stride[i] ?? 1)
      this.#ways[i] = (this.#ways[i + 1] ?? 1) * (i === this.#advancing ? trips - 1 : trips)
    }
    this.#alike = 0
    this.#compared = 0
    this.#offsets = []
    this.#found = []
    this.#visit(0, 0)
    if (this.#alike > 0) this.#add(0, Infinity, this.#alike, this.#offsets)
    return this.#found
  }

  #visit(i: number, start: number): void {
    if (start >= this.#extent) return
    const { length, bound, stride } = this.#chains.digits
    const { isPlaced } = this.#kind
    const end = start + (this.#reaches[i] ?? 0) + this.#span
    const isFar = this.#forwarding === -1 && end <= this.#extent && end + this.#back <= this.#extent
    if (isFar && (!isPlaced || i === length)) {
      this.#alike += this.#ways[i] ?? 1
      if (isPlaced && this.#offsets.push(start) > MOST_PLACED) tooLarge('places of a tile', MOST_PLACED)
    } else if (i === length) {
      this.#compared += 1 + this.#found.length
      if (this.#compared > MOST_COMPARED) tooLarge('states that differ', MOST_COMPARED)
      this.#add(start, this.#extent, 1, [start])
    } else if (this.#isRun[i] === 0) this.#visit(i + 1, start)
    else {
      const pitch = stride[i] ?? 1
      let trip = i === this.#advancing ? 1 : 0
      if (!isPlaced && this.#forwarding === -1) {
        // Trips whose states are all far from the end, at once.
        const room = this.#extent - Math.max(0, this.#back) - start - (this.#reaches[i + 1] ?? 0) - this.#span
        const far = Math.min(bound[i] ?? 1, Math.floor(room / pitch) + 1) - trip
        if (far > 0) {
          this.#alike += far * (this.#ways[i + 1] ?? 1)
          trip += far
        }
      }
      for (; trip < (bound[i] ?? 1) && start + trip * pitch < this.#extent; trip++) this.#visit(i + 1, start + trip * pitch)
    }
  }

  /** Lists where the children of a state start, the innermost digit fastest. */
  #place(start: number, extent: number): void {
    const { length, bound, stride } = this.#chains.digits
    this.#children = 1
    this.#starts[0] = start
    for (let i = length - 1; i >= 0; i--) {
      if (this.#isChild[i] === 0) continue
      const inner = this.#children
      const trips = bound[i] ?? 1
      if (inner * trips > MOST_CHILDREN) tooLarge('instances below one', MOST_CHILDREN)
      if (inner * trips > this.#starts.length) this.#starts = grown(this.#starts, new Float64Array(2 * inner * trips))
      for (let trip = 1; trip < trips; trip++) {
        const offset = trip * (stride[i] ?? 1)
        if (start + offset >= extent) break
        for (let child = 0; child < inner; child++) {
          this.#starts[this.#children++] = (this.#starts[child] ?? 0) + offset
        }
      }
    }
    // Starts grow with the child, so those outside are the last.
    while ((this.#starts[this.#children - 1] ?? 0) >= extent) this.#children--
  }

  #length(from: number, extent: number): number {
    return Math.min(this.#tile, extent - from)
  }

  /** Whether the children placed are equal intervals side by side that all moved alike. */
  #isPlain(start: number, extent: number, tile: number, move: number): boolean {
    if (this.#kind.isBoxes || this.#forwarding !== -1) return false
    for (let child = 0; child < this.#children; child++) {
      const now = this.#starts[child] ?? 0
      const then = this.#before(now, extent)
      if (now !== start + child * tile || now - then !== move) return false
      if (this.#length(now, extent) !== tile || this.#length(then, extent) !== tile) return false
    }
    return true
  }

  #add(start: number, extent: number, count: number, offsets: readonly number[]): void {
    this.#place(start, extent)
    const children = this.#children
    const tile = this.#length(start, extent)
    const move = start - this.#before(start, extent)
    const isPlain = this.#isPlain(start, extent, tile, move)
    const end = isPlain ? children * tile : this.#describe(start, extent)
    for (const known of this.#found) {
      if (known.isPlain !== isPlain || known.children !== children) continue
      if (isPlain ? known.tile !== tile || known.move !== move : !this.#isDescribed(known.cells)) continue
      known.count += count
      if (this.#kind.isPlaced) known.offsets.push(...offsets)
      return
    }
    this.#found.push({
      children,
      cells: isPlain ? NONE : this.#described(),
      width: this.#width,
      hasNear: this.#forwarding !== -1,
      levels: this.#levels,
      end,
      isPlain,
      tile,
      move,
      count,
      offsets: this.#kind.isPlaced ? [...offsets] : [],
    })
  }

  #described(): readonly number[] {
    const cells: number[] = []
    for (let i = 0; i < this.#children * this.#width; i++) cells.push(this.#cells[i] ?? 0)
    return cells
  }

  #isDescribed(cells: readonly number[]): boolean {
    for (let i = 0; i < cells.length; i++) if (this.#cells[i] !== cells[i]) return false
    return true
  }

  /** Writes the children placed into `cells`. Returns where the last interval ends. */
  #describe(start: number, extent: number): number {
    const width = this.#width
    if (width * this.#children > this.#cells.length) this.#cells = new Float64Array(2 * width * this.#children)
    const cells = this.#cells
    let end = 0
    for (let child = 0; child < this.#children; child++) {
      const now = this.#starts[child] ?? 0
      const then = this.#before(now, extent)
      const length = this.#length(now, extent)
      end = Math.max(end, now - start + length)
      let at = child * width
      cells[at++] = now - start
      cells[at++] = length
      cells[at++] = then - start
      cells[at++] = this.#length(then, extent)
      for (const there of this.#near(now, extent)) {
        cells[at++] = there - start
        cells[at++] = there === -1 ? 0 : this.#length(there, extent)
      }
      if (this.#levels > 0) cells.set(this.#placesOf(now - start), at)
    }
    return end
  }

  /** By level, which part of the fan-out a child is in that starts so far from the first. */
  #placesOf(offset: number): number[] {
    const { length, bound, stride, level } = this.#chains.digits
    const places = Array.from({ length: this.#levels }, () => 0)
    let rest = offset
    for (let i = 0; i < length; i++) {
      if (this.#isChild[i] === 0) continue
      const trip = Math.floor(rest / (stride[i] ?? 1))
      rest -= trip * (stride[i] ?? 1)
      const at = level[i] ?? 0
      places[at] = (places[at] ?? 0) * (bound[i] ?? 1) + trip
    }
    return places
  }

  /** Where the child that starts at `now` was in the step before: each loop that went back was at its last trip. */
  #before(now: number, extent: number): number {
    const { length, bound, stride } = this.#chains.digits
    let before = this.#advancing === -1 ? now : now - (stride[this.#advancing] ?? 0)
    for (let i = 0; i < length; i++) {
      if (this.#isReset[i] === 0) continue
      const pitch = stride[i] ?? 1
      before += Math.min((bound[i] ?? 1) - 1, Math.floor((extent - 1 - before) / pitch)) * pitch
    }
    return before
  }

  /** Where the two neighbours of a child were in the step before; −1 where there is none. */
  #near(now: number, extent: number): readonly number[] {
    if (this.#forwarding === -1) return NONE
    const stride = this.#chains.digits.stride[this.#forwarding] ?? 1
    const bound = this.#chains.digits.bound[this.#forwarding] ?? 1
    const trip = Math.floor(now / stride) % bound
    return [trip - 1, trip + 1].map((other) => {
      const there = now + (other - trip) * stride
      return other < 0 || other >= bound || there >= extent ? -1 : this.#before(there, extent)
    })
  }
}

/** @throws MappingError */
export function tooLarge(what: string, most: number): never {
  throw new MappingError(`The mapping has too many ${what} to count its sliding windows`, {
    limit: `${most}`,
    remedy: 'Make the tiles, the splits or the problem smaller',
  })
}
