/**
 * Mappings for kernels: those that a dataflow, read narrowly, allows on a hardware of three levels (DRAM, buffer, registers), as an
 * indexed space of tile sizes that compile well: choices for the split over the array, the loops inside a PE and the loops over the
 * buffer tile; what is left runs over DRAM, or over the grid. Small enough for scores that are slow to compute.
 */
import { MappingError, OptionError } from '../errors.ts'
import type { Dataflow } from './dataflow.ts'
import { fanoutOf, type Hardware } from './hardware.ts'
import type { Searched } from './mapper.ts'
import type { Loop, Mapping } from './mapping.ts'
import { DIMENSIONS, REDUCTION, extentOf, inputSpan, type Dimension, type Problem } from './problem.ts'

type Bounds = Partial<Record<Dimension, number>>

interface Split {
  readonly x: readonly Loop[]
  readonly y: readonly Loop[]
}

export interface CandidateOptions {
  readonly hardware: Hardware
  readonly dataflow: Dataflow
  /** Chooses which part of a large space is seen. */
  readonly seed?: number
  /** Candidates scored at most. */
  readonly budget?: number
  readonly signal?: AbortSignal
}

export interface CandidateSpace {
  /** Number of combinations, legal or not. */
  readonly total: number
  /** Combination `index` as a mapping; undefined where its tiles cannot fit. */
  mapping(index: number): Mapping | undefined
}

function candidateSpace(problem: Problem, hardware: Hardware, dataflow: Dataflow): CandidateSpace {
  const splits = arraySplits(problem, fanoutOf(hardware, 1), dataflow)
  const registers = registerBounds(problem, dataflow, hardware.levels[2]?.words ?? Infinity)
  const orders = dramOrders(hardware)
  const pairs = splits.flatMap((split) => registers.map((bounds) => ({ split, bounds })))
  const spaces = pairs.map(({ split, bounds }) => {
    const options = dataflow.innermost.map((dimension) =>
      bufferOptions(problem, dataflow, dimension, inner(split, bounds, dimension)),
    )
    return { split, bounds, options, size: options.reduce((size, list) => size * list.length, 1) * orders.length }
  })
  const total = spaces.reduce((sum, space) => sum + space.size, 0)

  return {
    total,
    mapping(index) {
      let rest = index
      for (const { split, bounds, options, size } of spaces) {
        if (rest >= size) {
          rest -= size
          continue
        }
        const order = orders[rest % orders.length] ?? []
        rest = Math.floor(rest / orders.length)
        const buffer: Loop[] = []
        dataflow.innermost.forEach((dimension, k) => {
          const list = options[k] ?? [1]
          buffer.push([dimension, list[rest % list.length] ?? 1])
          rest = Math.floor(rest / list.length)
        })
        return assemble(problem, hardware, dataflow, { split, bounds, buffer, order })
      }
      return undefined
    },
  }
}

function inner(split: Split, bounds: Bounds, dimension: Dimension): number {
  return [...split.x, ...split.y].reduce(
    (product, loop) => (loop[0] === dimension ? product * loop[1] : product),
    bounds[dimension] ?? 1,
  )
}

/** Ways to spread the allowed dimensions over both axes. */
function arraySplits(problem: Problem, fanout: { x: number; y: number }, dataflow: Dataflow): Split[] {
  const along = (dimensions: readonly Dimension[], room: number, used: Bounds): Loop[][] => {
    const [dimension, ...others] = dimensions
    if (dimension === undefined) return [[]]
    const left = Math.ceil(extentOf(problem, dimension) / (used[dimension] ?? 1))
    const options = spread(left, room, dimension)
    return options.flatMap((bound) =>
      along(others, Math.floor(room / bound), { ...used, [dimension]: (used[dimension] ?? 1) * bound }).map((loops): Loop[] =>
        bound === 1 ? loops : [[dimension, bound], ...loops],
      ),
    )
  }
  return along(dataflow.spatial.x, fanout.x, {}).flatMap((x) => {
    const used: Bounds = {}
    for (const [dimension, bound] of x) used[dimension] = bound
    return along(dataflow.spatial.y, fanout.y, used).map((y) => ({ x, y }))
  })
}

/**
 * Bounds worth trying for `left` trips over `room` places: as many as fit, the even split, and the powers of two that a
 * subgroup can sum or forward.
 */
function spread(left: number, room: number, dimension: Dimension): number[] {
  const most = Math.min(left, room)
  if (dimension === 'R') return [most]
  const even = Math.ceil(left / Math.ceil(left / most))
  const power = 2 ** Math.floor(Math.log2(most))
  return unique([most, even, power, Math.min(8, power)])
}

/** Register tiles: S whole where the dataflow loops over it inside a PE, M and C by powers of two within the words there are. */
function registerBounds(problem: Problem, dataflow: Dataflow, words: number): Bounds[] {
  if (dataflow.registers.length === 0) return [{}]
  const S = dataflow.registers.includes('S') ? problem.S : 1
  const powers = (dimension: Dimension): number[] =>
    dataflow.registers.includes(dimension) ? [1, 2, 4, 8, 16].filter((bound) => bound <= extentOf(problem, dimension)) : [1]
  return powers('M').flatMap((M) => powers('C').flatMap((C) => (M * C * S + C * S + M <= words ? [{ M, C, S }] : [])))
}

/** Trips over the buffer tile worth trying. */
function bufferOptions(problem: Problem, dataflow: Dataflow, dimension: Dimension, step: number): number[] {
  const left = Math.ceil(extentOf(problem, dimension) / step)
  if (dimension === 'R' || dimension === 'S') return unique([left, 1])
  if (dataflow.innermost.length <= 3) return unique([left, ...[1, 2, 4, 8, 16, 32, 64].filter((bound) => bound < left)])
  return unique([left, Math.ceil(left / 2), Math.ceil(left / 4), ...[1, 2, 4, 8, 16].filter((bound) => bound < left)])
}

/** Orders of the loops over DRAM: outputs outside, sums inside; where DRAM has no fan-out, also with M innermost. */
function dramOrders(hardware: Hardware): Dimension[][] {
  const usual: Dimension[] = ['G', 'N', 'M', 'P', 'Q', 'C', 'R', 'S']
  return hasGrid(hardware) ? [usual] : [usual, ['G', 'N', 'P', 'Q', 'M', 'C', 'R', 'S'], ['G', 'M', 'C', 'R', 'S', 'N', 'P', 'Q']]
}

function hasGrid(hardware: Hardware): boolean {
  const fanout = hardware.levels.length > 2 ? hardware.levels[0]?.fanout : undefined
  return fanout !== undefined && fanout.x * fanout.y > 1
}

function assemble(
  problem: Problem,
  hardware: Hardware,
  dataflow: Dataflow,
  choice: { split: Split; bounds: Bounds; buffer: readonly Loop[]; order: readonly Dimension[] },
): Mapping | undefined {
  const { split, bounds, buffer, order } = choice
  const tile = (dimension: Dimension): number => {
    const trips = buffer.find((loop) => loop[0] === dimension)?.[1] ?? 1
    return Math.min(extentOf(problem, dimension), trips * inner(split, bounds, dimension))
  }
  const extent = Object.fromEntries(DIMENSIONS.map((dimension) => [dimension, tile(dimension)])) as Record<Dimension, number>
  if (bufferNeed(problem, dataflow, extent) > (hardware.levels[1]?.words ?? Infinity)) return undefined

  const grid: Loop[] = []
  const temporal: Loop[] = []
  for (const dimension of order) {
    const trips = buffer.find((loop) => loop[0] === dimension)?.[1] ?? 1
    const left = Math.ceil(extentOf(problem, dimension) / (trips * inner(split, bounds, dimension)))
    if (left === 1) continue
    if (hasGrid(hardware) && !REDUCTION.includes(dimension)) grid.push([dimension, left])
    else temporal.push([dimension, left])
  }
  const [dram, middle, registers] = hardware.levels
  return {
    levels: [
      { name: dram?.name ?? 'DRAM', temporal, ...(grid.length > 0 ? { spatial: { x: grid } } : {}) },
      {
        name: middle?.name ?? 'GLB',
        temporal: buffer,
        spatial: { x: split.x, y: split.y },
        keep: [...dataflow.keep.buffer],
      },
      {
        name: registers?.name ?? 'RF',
        temporal: dataflow.registers.flatMap((dimension): Loop[] =>
          (bounds[dimension] ?? 1) > 1 ? [[dimension, bounds[dimension] ?? 1]] : [],
        ),
        keep: [...dataflow.keep.registers],
      },
    ],
  }
}

/** Words of the buffer tiles of the operands that the dataflow keeps there. */
function bufferNeed(problem: Problem, dataflow: Dataflow, tile: Record<Dimension, number>): number {
  const span = inputSpan({ ...problem, P: tile.P, Q: tile.Q, R: tile.R, S: tile.S })
  const need = {
    weights: tile.M * tile.C * tile.R * tile.S,
    inputs: tile.N * tile.C * span.rows * span.columns,
    outputs: tile.N * tile.M * tile.P * tile.Q,
  }
  return dataflow.keep.buffer.reduce((sum, operand) => sum + need[operand], 0)
}

function unique(values: readonly number[]): number[] {
  return [...new Set(values.filter((value) => value >= 1))]
}

/**
 * The candidate of least `score`. A score of Infinity, or a MappingError from it, marks a candidate as not legal.
 * Ties go to the first in the space's order.
 */
export function searchMappings(
  problem: Problem,
  { hardware, dataflow, seed = 1, budget = 600, signal }: CandidateOptions,
  score: (mapping: Mapping) => number,
): { mapping: Mapping; searched: Searched } {
  if (!Number.isSafeInteger(budget) || budget < 1)
    throw new OptionError(`A budget of ${budget} mappings`, { remedy: 'Look at one at least' })
  if (!Number.isSafeInteger(seed)) throw new OptionError(`The seed ${seed} is no integer`)
  if (hardware.levels.length !== 3) {
    throw new MappingError(`Kernels take hardware of three levels, and ${hardware.name} has ${hardware.levels.length}`, {
      remedy: 'Give DRAM, a buffer and registers, or evaluate a mapping made by hand',
    })
  }
  const space = candidateSpace(problem, hardware, dataflow)
  const step = coprimeStep(space.total, seed)
  let best: Mapping | undefined
  let bestScore = Infinity
  let seen = 0
  let walked = 0
  for (let index = 0; walked < space.total && seen < budget; walked++, index = (index + step) % space.total) {
    if (signal?.aborted === true && best !== undefined) break
    const mapping = space.mapping(index)
    if (mapping === undefined) continue
    const value = scoreOrInfinity(mapping, score)
    if (value === Infinity) continue
    seen++
    if (value < bestScore) {
      best = mapping
      bestScore = value
    }
  }
  if (best === undefined) {
    throw new MappingError(`No mapping of the problem under ${dataflow.name} fits ${hardware.name}`, {
      dataflow: dataflow.name,
      candidates: space.total,
      remedy: 'Give the hardware a larger buffer or register file, or choose another dataflow',
    })
  }
  return { mapping: best, searched: { seen, total: space.total, exhaustive: walked >= space.total } }
}

function scoreOrInfinity(mapping: Mapping, score: (mapping: Mapping) => number): number {
  try {
    return score(mapping)
  } catch (error) {
    if (error instanceof MappingError) return Infinity
    throw error
  }
}

/** A step that visits every index once, near the golden ratio of the space so that a part of it is spread evenly. */
function coprimeStep(total: number, seed: number): number {
  if (total <= 2) return 1
  let step = Math.max(1, (Math.floor(total * 0.6180339887) + 2 * Math.abs(seed)) % total)
  while (gcd(step, total) !== 1) step++
  return step % total === 0 ? 1 : step % total
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
