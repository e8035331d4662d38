/**
 * How many mappings a second one core evaluates: legality, all counts, energy and cycles of each, none pruned. AlexNet's
 * convolutions on Eyeriss, two streams of mappings, made before the clock starts:
 *
 * - independent: each drawn anew, orders, tiles (half of them ragged), splits and what is kept; no two alike but by chance
 * - neighbours: each a legal step away from the last, as in a local search
 *
 * Every mapping is scored once by a scorer that starts with nothing known. `npm run bench:evaluate` prints the figures and writes them
 * to bench/results/evaluate-rate.txt.
 */
import { hardwareNamed } from '../models/hardware/index.ts'
import { Scorer } from '../src/cost/scorer.ts'
import { emptyCode, type MappingCode } from '../src/schedule/code.ts'
import { fanoutOf, type Hardware } from '../src/schedule/hardware.ts'
import { DIMENSIONS, convProblem, extentOf, type Problem } from '../src/schedule/problem.ts'

const conv = (groups: number, M: number, C: number, side: number, R: number, stride: number, pad: number): Problem =>
  convProblem({ groups, N: 4, M, C, P: side, Q: side, R, S: R, stride: [stride, stride], padding: [pad, pad, pad, pad] })

/** AlexNet's convolutions at 227×227 as in Sze et al. 2017, Table II, four pictures at once. */
export const LAYERS: readonly (readonly [name: string, problem: Problem])[] = [
  ['conv1', conv(1, 96, 3, 55, 11, 4, 0)],
  ['conv2', conv(2, 128, 48, 27, 5, 1, 2)],
  ['conv3', conv(1, 384, 256, 13, 3, 1, 1)],
  ['conv4', conv(2, 192, 192, 13, 3, 1, 1)],
  ['conv5', conv(2, 128, 192, 13, 3, 1, 1)],
]

export const STREAMS = ['independent', 'neighbours'] as const
export type Stream = (typeof STREAMS)[number]

/** Uniform numbers in [0, 1), the same for the same seed (Marsaglia's xorshift). */
function random(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** Bounds of every dimension in the five places a loop can be in: DRAM, buffer, x, y, register file. */
const PLACES = [
  { level: 0, axis: 0 },
  { level: 1, axis: 0 },
  { level: 1, axis: 1 },
  { level: 1, axis: 2 },
  { level: 2, axis: 0 },
] as const

/** Mappings on a hardware of three levels, one after another in the same code. */
class Draw {
  readonly #problem: Problem
  readonly #hardware: Hardware
  readonly #next: () => number
  readonly #bounds = new Float64Array(PLACES.length * DIMENSIONS.length)
  readonly #order = new Uint8Array(PLACES.length * DIMENSIONS.length)
  readonly code: MappingCode

  constructor(problem: Problem, hardware: Hardware, seed: number) {
    this.#problem = problem
    this.#hardware = hardware
    this.#next = random(seed)
    this.code = emptyCode(hardware.levels.length)
    for (let place = 0; place < PLACES.length; place++) {
      for (let i = 0; i < DIMENSIONS.length; i++) this.#order[place * DIMENSIONS.length + i] = i
    }
  }

  #below(limit: number): number {
    return Math.floor(this.#next() * limit)
  }

  #tiles(dimension: number): void {
    const name = DIMENSIONS[dimension]
    const extent = name === undefined ? 1 : extentOf(this.#problem, name)
    const isRagged = this.#next() < 0.5
    const { x, y } = fanoutOf(this.#hardware, 1)
    let rest = extent
    const take = (place: number, most: number): void => {
      let bound = 1 + this.#below(Math.min(rest, most))
      while (!isRagged && rest % bound !== 0) bound--
      this.#bounds[place * DIMENSIONS.length + dimension] = bound
      rest = Math.ceil(rest / bound)
    }
    take(4, this.#next() < 0.5 ? 1 : 12)
    take(3, this.#next() < 0.7 ? 1 : y)
    take(2, this.#next() < 0.7 ? 1 : x)
    take(1, this.#next() < 0.3 ? 1 : Infinity)
    take(0, 1)
    this.#bounds[dimension] = rest
  }

  #shuffle(place: number): void {
    for (let i = DIMENSIONS.length - 1; i > 0; i--) this.#swap(place, i, this.#below(i + 1))
  }

  #swap(place: number, i: number, j: number): void {
    const [a, b] = [place * DIMENSIONS.length + i, place * DIMENSIONS.length + j]
    const [first, second] = [this.#order[a] ?? 0, this.#order[b] ?? 0]
    this.#order[a] = second
    this.#order[b] = first
  }

  #keep(level: number): void {
    this.code.keep[level] = this.#next() < 0.6 ? 7 : this.#below(8)
  }

  #write(): MappingCode {
    const { code } = this
    code.length = 0
    for (const [place, { level, axis }] of PLACES.entries()) {
      for (let i = 0; i < DIMENSIONS.length; i++) {
        const dimension = this.#order[place * DIMENSIONS.length + i] ?? 0
        const bound = this.#bounds[place * DIMENSIONS.length + dimension] ?? 1
        if (bound === 1) continue
        const at = code.length++
        code.dimension[at] = dimension
        code.bound[at] = bound
        code.level[at] = level
        code.axis[at] = axis
      }
    }
    return code
  }

  /** A mapping drawn anew. */
  anew(): MappingCode {
    for (let dimension = 0; dimension < DIMENSIONS.length; dimension++) this.#tiles(dimension)
    for (const place of [0, 1, 4]) this.#shuffle(place)
    this.#keep(1)
    this.#keep(2)
    return this.#write()
  }

  /** The last mapping, changed in one way, if `accept` takes it; else unchanged. */
  step(accept: (code: MappingCode) => boolean): MappingCode {
    const bounds = this.#bounds.slice()
    const order = this.#order.slice()
    const keep = this.code.keep.slice()
    const kind = this.#next()
    if (kind < 0.45) this.#tiles(this.#below(DIMENSIONS.length))
    else if (kind < 0.9) this.#swap([0, 1, 4][this.#below(3)] ?? 0, this.#below(DIMENSIONS.length), this.#below(DIMENSIONS.length))
    else this.#keep(1 + this.#below(2))
    if (accept(this.#write())) return this.code
    this.#bounds.set(bounds)
    this.#order.set(order)
    this.code.keep.set(keep)
    return this.#write()
  }
}

/** Legal mappings, in little room. */
export class Stored {
  readonly count: number
  /** Drawn until so many legal ones were there, and how many of these differ. */
  drawn = 0
  different = 0
  readonly levels: number
  readonly #starts: Int32Array
  readonly #dimension: Uint8Array
  readonly #bound: Float64Array
  readonly #level: Uint8Array
  readonly #axis: Uint8Array
  readonly #keep: Uint8Array

  constructor(count: number, levels: number) {
    const room = PLACES.length * DIMENSIONS.length * count
    this.count = count
    this.levels = levels
    this.#starts = new Int32Array(count + 1)
    this.#dimension = new Uint8Array(room)
    this.#bound = new Float64Array(room)
    this.#level = new Uint8Array(room)
    this.#axis = new Uint8Array(room)
    this.#keep = new Uint8Array(levels * count)
  }

  save(index: number, code: MappingCode): void {
    const start = this.#starts[index] ?? 0
    this.#dimension.set(code.dimension.subarray(0, code.length), start)
    this.#bound.set(code.bound.subarray(0, code.length), start)
    this.#level.set(code.level.subarray(0, code.length), start)
    this.#axis.set(code.axis.subarray(0, code.length), start)
    this.#keep.set(code.keep, this.levels * index)
    this.#starts[index + 1] = start + code.length
  }

  load(index: number, code: MappingCode): void {
    const start = this.#starts[index] ?? 0
    const length = (this.#starts[index + 1] ?? 0) - start
    code.length = length
    for (let i = 0; i < length; i++) {
      code.dimension[i] = this.#dimension[start + i] ?? 0
      code.bound[i] = this.#bound[start + i] ?? 1
      code.level[i] = this.#level[start + i] ?? 0
      code.axis[i] = this.#axis[start + i] ?? 0
    }
    for (let level = 0; level < this.levels; level++) code.keep[level] = this.#keep[this.levels * index + level] ?? 7
  }
}

/** @throws Error where hardly any mapping is legal */
export function drawMappings(problem: Problem, hardware: Hardware, stream: Stream, count: number, seed: number): Stored {
  const scorer = new Scorer(problem, hardware)
  const draw = new Draw(problem, hardware, seed)
  const stored = new Stored(count, hardware.levels.length)
  const seen = new Set<string>()
  const isLegal = (code: MappingCode): boolean => scorer.fits(code)
  for (let index = 0; index < count;) {
    if (++stored.drawn > 1000 * count) throw new Error('Hardly any of the mappings drawn is legal')
    const code = stream === 'independent' || index === 0 ? draw.anew() : draw.step(isLegal)
    if (!isLegal(code)) continue
    stored.save(index++, code)
    const used = [code.dimension, code.bound, code.level, code.axis].map((list) => list.subarray(0, code.length).join(','))
    seen.add(`${used.join('/')}/${code.keep.join(',')}`)
  }
  stored.different = seen.size
  return stored
}

export interface Rate {
  readonly mappings: number
  readonly seconds: number
  /** Of processor time, the collector's included. */
  readonly busy: number
  /** A number that depends on every score: nothing was left out. */
  readonly digest: number
}

/** Scores each mapping once. */
export function scoreAll(scorer: Scorer, stored: Stored): Rate {
  const code = emptyCode(stored.levels)
  let digest = 0
  const busy = process.cpuUsage().user
  const begin = performance.now()
  for (let index = 0; index < stored.count; index++) {
    stored.load(index, code)
    if (!scorer.score(code)) throw new Error(`Mapping ${index} is not legal`)
    digest = (digest + scorer.energy + scorer.cycles) % 1e15
  }
  const seconds = (performance.now() - begin) / 1000
  return { mappings: stored.count, seconds, busy: (process.cpuUsage().user - busy) / 1e6, digest }
}

const perSecond = (count: number, seconds: number): string =>
  Math.round(count / seconds)
    .toLocaleString('en')
    .padStart(9)

/** The figures, line by line: `count` mappings of each stream and layer. */
export function* benchmark(count: number, seed = 1): Generator<string> {
  const hardware = hardwareNamed('eyeriss')
  yield `${'stream'.padEnd(12)}layer  mappings/s  per processor second  legal      drawn  different`
  // Compiled before the clock starts: a layer of its own, which no scorer below has seen.
  const other = conv(1, 60, 20, 17, 3, 2, 0)
  for (const stream of STREAMS) scoreAll(new Scorer(other, hardware), drawMappings(other, hardware, stream, 20_000, seed))
  for (const stream of STREAMS) {
    const sum = { mappings: 0, seconds: 0, busy: 0 }
    for (const [name, problem] of LAYERS) {
      const stored = drawMappings(problem, hardware, stream, count, seed)
      const { mappings, seconds, busy } = scoreAll(new Scorer(problem, hardware), stored)
      sum.mappings += mappings
      sum.seconds += seconds
      sum.busy += busy
      const counts = [stored.count, stored.drawn, stored.different].map((figure) => `${figure}`.padStart(10)).join('')
      yield `${stream.padEnd(12)}${name}${perSecond(mappings, seconds).padStart(12)}${perSecond(mappings, busy).padStart(22)}${counts}`
    }
    yield `${stream.padEnd(12)}all  ${perSecond(sum.mappings, sum.seconds).padStart(12)}${perSecond(sum.mappings, sum.busy).padStart(22)}`
  }
}
