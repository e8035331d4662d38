/**
 * How long a mapping takes. Think of a kitchen: the cooks (PEs) work in steps, each store room has doors of a given width, and a
 * room with one shelf only (`double_buffered: false`) cannot be restocked while its goods are in use. Cycles are
 *
 *     max(steps + systolic, words of each port / (bandwidth · instances in use)) + exchange
 *
 * - steps: time steps in which any MAC works.
 * - A port is the read or the write side of a level; its words are reads, or fills + updates, each scaled by the operand's bits over the
 *   level's word and by the level's compression. Rounded up to whole cycles.
 * - exchange: a level that says `double_buffered: false` is loaded and emptied while nothing below it runs: the slower of its own
 *   port and its parent's, added, and no longer part of what overlaps. `true` overlaps (and halves the room, see `checkMapping`);
 *   a level that says nothing overlaps ideally (Timeloop's rule 10).
 * - systolic: operands enter skewed. For each fold of the stationary tile over R rows and C columns, T steps take T+2R+C−2
 *   cycles with weights or inputs stationary, T+R+C−2 with outputs (SCALE-Sim v2/v3, without the last drain).
 */
import { fanoutOf, compressionOf, wordsPerValue, type Hardware, type SystolicFlow } from '../schedule/hardware.ts'
import type { MappingCode } from '../schedule/code.ts'
import { DIMENSIONS, OPERANDS, RELEVANT, type Operand } from '../schedule/problem.ts'
import { FILLS, READS, UPDATES, cell } from './tally.ts'

/** What the time of a mapping follows from. */
export interface Counted {
  /** Laid out as `tally.ts` says. */
  readonly tally: Float64Array
  /** Time steps in which any MAC works. */
  readonly steps: number
  /** Instances of each level in use. */
  readonly instances: ArrayLike<number>
  /** Times that the stationary tile of a systolic array is replaced (see `foldsOf`); not read for other hardware. */
  readonly folds?: number
}

export type Port = 'read' | 'write'

export interface Time {
  readonly cycles: number
  /** At the hardware's clock; absent where it names none. */
  readonly seconds?: number
  /** What the overlapping part waits for. */
  readonly bound: { readonly by: 'steps' } | { readonly by: Port; readonly level: string }
  /** Cycles of the bound over those of the steps: 1 where the MACs are what is waited for. */
  readonly slowdown: number
  readonly steps: number
  /** Cycles to fill and drain a systolic array, of `folds` folds. */
  readonly systolic: number
  /** Cycles that each port needs, of those with a bandwidth. */
  readonly ports: readonly { readonly level: string; readonly port: Port; readonly cycles: number }[]
  /** Cycles in which nothing runs because a level with a single buffer is loaded or emptied. */
  readonly exchange: readonly { readonly level: string; readonly cycles: number }[]
}

/** The time of one mapping, with what bounds it. @throws OptionError as `CycleCounter` */
export function timeOf(hardware: Hardware, counted: Counted): Time {
  const counter = new CycleCounter(hardware)
  const cycles = counter.cycles(counted.tally, counted.steps, counted.instances, counted.folds ?? 0)
  const names = hardware.levels.map(({ name }) => name)
  const ports = names.flatMap((level, index) =>
    (['read', 'write'] as const).flatMap((port, side) =>
      hardware.levels[index]?.bandwidth?.[port] === undefined
        ? []
        : [{ level, port, cycles: counter.ports[2 * index + side] ?? 0 }],
    ),
  )
  const working = counted.steps + counter.systolic
  const slowest = ports.reduce<(typeof ports)[number] | undefined>(
    (most, port) => (port.cycles > Math.max(working, most?.cycles ?? 0) ? port : most),
    undefined,
  )
  return {
    cycles,
    ...(hardware.clock_hz === undefined ? {} : { seconds: cycles / hardware.clock_hz }),
    bound: slowest === undefined ? { by: 'steps' } : { by: slowest.port, level: slowest.level },
    slowdown: slowest === undefined ? 1 : slowest.cycles / working,
    steps: counted.steps,
    systolic: counter.systolic,
    ports,
    exchange: names.flatMap((level, index) => {
      const spent = counter.exchange[index] ?? 0
      return spent === 0 ? [] : [{ level, cycles: spent }]
    }),
  }
}

/**
 * Cycles of one mapping after another on the same hardware, without allocating: for searches.
 * @throws OptionError (from the constructor) where a precision is given and no width of a word
 */
export class CycleCounter {
  /** Cycles of each port of the last mapping: 2·level for reads, 2·level + 1 for writes; what `exchange` holds left out. */
  readonly ports: Float64Array
  /** By level, of the last mapping. */
  readonly exchange: Float64Array
  /** Fill and drain of the last mapping. */
  systolic = 0
  readonly #levels: number
  /** Words per cycle and instance of each port; Infinity where none is given. */
  readonly #bandwidth: Float64Array
  /** Words on the wire for a value, by level × operand. */
  readonly #width: Float64Array
  readonly #single: readonly boolean[]
  readonly #isSingle: boolean
  readonly #skew: number

  constructor(hardware: Hardware) {
    const { levels } = hardware
    this.#levels = levels.length
    this.ports = new Float64Array(2 * levels.length)
    this.exchange = new Float64Array(levels.length)
    this.#bandwidth = Float64Array.from(
      levels.flatMap(({ bandwidth }) => [bandwidth?.read ?? Infinity, bandwidth?.write ?? Infinity]),
    )
    this.#width = Float64Array.from(
      levels.flatMap((_, index) =>
        OPERANDS.map((operand) => wordsPerValue(hardware, index, operand) * compressionOf(hardware, index, operand)),
      ),
    )
    this.#single = levels.map(({ double_buffered: isDouble }, index) => isDouble === false && index > 0)
    this.#isSingle = this.#single.includes(true)
    this.#skew = hardware.systolic === undefined ? 0 : skewOf(hardware.systolic, systolicShape(hardware))
  }

  /** @see Counted for the arguments */
  cycles(tally: Float64Array, steps: number, instances: ArrayLike<number>, folds = 0): number {
    this.systolic = folds * this.#skew
    let slowest = steps + this.systolic
    let exchanged = 0
    if (this.#isSingle) exchanged = this.#exchangeAll(tally, instances)
    for (let level = 0; level < this.#levels; level++) {
      const used = instances[level] ?? 1
      let reads = 0
      let writes = 0
      for (let operand = 0; operand < OPERANDS.length; operand++) {
        const width = this.#width[level * OPERANDS.length + operand] ?? 1
        const child = this.#isSingle ? this.#next(tally, level, operand, 1) : -1
        const isApart = child !== -1 && this.#single[child] === true
        const isOwnApart = this.#isSingle && this.#single[level] === true
        if (!isApart) reads += width * (tally[cell(level, operand, READS)] ?? 0)
        if (!isApart) writes += width * (tally[cell(level, operand, UPDATES)] ?? 0)
        if (!isOwnApart) writes += width * (tally[cell(level, operand, FILLS)] ?? 0)
      }
      slowest = Math.max(slowest, this.#through(level, 0, reads, used), this.#through(level, 1, writes, used))
    }
    return slowest + exchanged
  }

  #through(level: number, side: number, words: number, instances: number): number {
    const cycles = Math.ceil(words / ((this.#bandwidth[2 * level + side] ?? Infinity) * instances))
    this.ports[2 * level + side] = cycles
    return cycles
  }

  /** The nearest level inside (`step` 1) or outside (−1) that handles an operand; −1 where there is none. */
  #next(tally: Float64Array, from: number, operand: number, step: 1 | -1): number {
    for (let level = from + step; level >= 0 && level < this.#levels; level += step) {
      if ((tally[cell(level, operand, READS)] ?? 0) + (tally[cell(level, operand, UPDATES)] ?? 0) > 0) return level
    }
    return -1
  }

  /** Loads of each single-buffered level and what it hands back, through the slower of the two ports each passes. */
  #exchangeAll(tally: Float64Array, instances: ArrayLike<number>): number {
    let total = 0
    for (let level = 0; level < this.#levels; level++) {
      this.exchange[level] = 0
      if (this.#single[level] !== true) continue
      let cycles = 0
      for (let operand = 0; operand < OPERANDS.length; operand++) {
        const parent = this.#next(tally, level, operand, -1)
        if (parent === -1 || this.#next(tally, parent, operand, 1) !== level) continue
        const rate = (at: number, side: number): number =>
          (this.#width[at * OPERANDS.length + operand] ?? 1) / ((this.#bandwidth[2 * at + side] ?? Infinity) * (instances[at] ?? 1))
        const written = (tally[cell(level, operand, FILLS)] ?? 0) * rate(level, 1)
        const read = (tally[cell(parent, operand, READS)] ?? 0) * rate(parent, 0)
        const drained = (tally[cell(parent, operand, UPDATES)] ?? 0) * rate(parent, 1)
        cycles += Math.max(written, read) + drained
      }
      this.exchange[level] = Math.ceil(cycles)
      total += this.exchange[level] ?? 0
    }
    return total
  }
}

/** Rows and columns of the array that a systolic hardware skews its operands over: the fan-out above the innermost level. */
export function systolicShape(hardware: Hardware): { readonly rows: number; readonly columns: number } {
  const { x, y } = fanoutOf(hardware, Math.max(0, hardware.levels.length - 2))
  return { rows: y, columns: x }
}

/** Cycles of a fold beyond its T steps. */
export function skewOf(flow: SystolicFlow, { rows, columns }: { readonly rows: number; readonly columns: number }): number {
  return flow === 'os' ? rows + columns - 2 : 2 * rows + columns - 2
}

/** The operand that each systolic flow holds still. */
export const STATIONARY: Readonly<Record<SystolicFlow, Operand>> = { ws: 'weights', os: 'outputs', is: 'inputs' }

/**
 * How often a mapping replaces the stationary tile: the trips, within the problem, of all temporal loops outside and including the innermost
 * one that the stationary operand depends on.
 * @param extents by index into DIMENSIONS
 */
export function foldsOf(code: MappingCode, extents: ArrayLike<number>, flow: SystolicFlow): number {
  const relevant = RELEVANT[STATIONARY[flow]]
  let innermost = -1
  for (let at = 0; at < code.length; at++) {
    const isTrip = code.axis[at] === 0 && (code.bound[at] ?? 1) > 1
    if (isTrip && relevant.includes(DIMENSIONS[code.dimension[at] ?? 0] ?? 'N')) innermost = at
  }
  let folds = 1
  for (let dimension = 0; dimension < DIMENSIONS.length; dimension++) {
    folds *= tripsWithin(code, dimension, innermost, extents[dimension] ?? 1)
  }
  return folds
}

/** Values below `extent` whose digits are 0 except those of temporal loops up to `innermost`. */
function tripsWithin(code: MappingCode, dimension: number, innermost: number, extent: number): number {
  let span = 1
  let ways = 1
  for (let at = 0; at < code.length; at++) {
    if (code.dimension[at] !== dimension) continue
    span *= code.bound[at] ?? 1
    if (code.axis[at] === 0 && at <= innermost) ways *= code.bound[at] ?? 1
  }
  if (extent >= span) return ways
  let total = 0
  let rest = extent
  for (let at = 0; at < code.length; at++) {
    if (code.dimension[at] !== dimension) continue
    const bound = code.bound[at] ?? 1
    span /= bound
    const cap = code.axis[at] === 0 && at <= innermost ? bound : 1
    const digit = Math.floor(rest / span)
    ways /= cap
    if (digit >= cap) return total + cap * ways
    total += digit * ways
    rest -= digit * span
  }
  return total
}
