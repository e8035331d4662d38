/**
 * What a dataflow kernel issues, in closed form: loads and stores of every active lane, by address space and operand, and words
 * handed between lanes. The counted build must equal this exactly.
 *
 * Every site of the nest runs once for each valid setting of the loops outside it. Validity is a condition on each coordinate
 * alone, so a site's count is a product over dimensions of `settings(dimension, loops outside)`: how many index tuples of these
 * loops keep the coordinate inside the problem. A word moved at the site adds its operand's tile loops to "outside".
 */
import type { Issued } from '../../cost/evaluation.ts'
import { DIMENSIONS, REDUCTION, extentOf, isRelevant, macsOf, type Dimension, type Operand, type Problem } from '../problem.ts'
import type { InputExtent } from './lower.ts'
import type { Nest, NestLoop } from './nest.ts'

/** Issued accesses of a nest over an input plane of the given extent. */
export function predictIssued(nest: Nest, input: InputExtent): Issued {
  const { problem, grid, dram, buffer, lanes, keep, fill } = nest
  const temporal = [...dram, ...buffer]
  const all = [...grid, ...temporal, ...lanes, ...nest.registers]
  const storage = { weights: zero(), inputs: zero(), outputs: zero() }
  const workgroup = { weights: zero(), inputs: zero(), outputs: zero() }
  const hops = { weights: 0, inputs: 0, outputs: 0 }
  const near = (operand: Operand): Tally => (keep.buffer.has(operand) ? workgroup : storage)[operand]
  const macs = macsOf(problem)

  // Filling buffer tiles.
  const reuse = (operand: Operand, outside: readonly NestLoop[]): number =>
    product(
      DIMENSIONS.filter((dimension) => !isRelevant(operand, dimension)).map((dimension) => settings(problem, dimension, outside)),
    )
  const words = (operand: Operand): number =>
    product(DIMENSIONS.filter((dimension) => isRelevant(operand, dimension)).map((dimension) => extentOf(problem, dimension)))
  if (keep.buffer.has('weights')) {
    const moved = words('weights') * reuse('weights', [...grid, ...dram.slice(0, fill.buffer.weights)])
    storage.weights.loads += moved
    workgroup.weights.stores += moved
  }
  if (keep.buffer.has('inputs')) {
    const times = problem.groups * problem.N * problem.C * reuse('inputs', [...grid, ...dram.slice(0, fill.buffer.inputs)])
    const rows = tileSpans(nest, 'P', 'R', input.rows)
    const columns = tileSpans(nest, 'Q', 'S', input.columns)
    storage.inputs.loads += times * rows.inside * columns.inside
    workgroup.inputs.stores += times * rows.touched * columns.touched
  }

  // Filling registers, or reading operands at each MAC.
  const inPlane = keep.buffer.has('inputs') ? undefined : input
  if (keep.registers.has('weights')) {
    near('weights').loads += words('weights') * reuse('weights', [...grid, ...temporal.slice(0, fill.registers.weights), ...lanes])
  } else near('weights').loads += macs
  const others = problem.groups * problem.N * problem.C
  if (keep.registers.has('inputs')) {
    const outside = [...grid, ...temporal.slice(0, fill.registers.inputs), ...lanes]
    const columns = nest.slide > 0 ? slidColumns(nest, inPlane) : pairs(problem, 'Q', 'S', inPlane?.columns)
    near('inputs').loads += others * pairs(problem, 'P', 'R', inPlane?.rows) * columns * reuse('inputs', outside)
  } else if (nest.forward) {
    const { loads, handed } = forwarded(nest)
    const rest = macs / (problem.Q * problem.S)
    near('inputs').loads += rest * loads
    hops.inputs += rest * handed
  } else {
    near('inputs').loads +=
      others * problem.M * pairs(problem, 'P', 'R', inPlane?.rows) * pairs(problem, 'Q', 'S', inPlane?.columns)
  }

  // Partial sums on their way up.
  const outputs = words('outputs')
  const visits = (outside: readonly NestLoop[]): number =>
    outputs * product(REDUCTION.map((dimension) => settings(problem, dimension, outside)))
  const outsideDrain = keep.registers.has('outputs')
    ? [...grid, ...temporal.slice(0, fill.registers.outputs)]
    : all.filter((loop) => !lanes.includes(loop))
  const results = visits(outsideDrain)
  hops.outputs += visits([...outsideDrain, ...lanes]) - results
  near('outputs').stores += results
  near('outputs').loads += results - outputs
  if (keep.buffer.has('outputs')) {
    const drained = visits([...grid, ...dram.slice(0, fill.buffer.outputs)])
    storage.outputs.stores += drained
    workgroup.outputs.loads += drained
    storage.outputs.loads += drained - outputs
    workgroup.outputs.stores += drained - outputs
  }
  return { macs, storage, workgroup, hops }
}

interface Tally {
  loads: number
  stores: number
}

const zero = (): Tally => ({ loads: 0, stores: 0 })
const product = (factors: readonly number[]): number => factors.reduce((result, factor) => result * factor, 1)

/** Index tuples of the loops of `dimension` in `loops` whose coordinate lies inside the problem (the other loops at 0). */
function settings(problem: Problem, dimension: Dimension, loops: readonly NestLoop[]): number {
  return starts(problem, dimension, loops).length
}

/** The coordinates of those tuples. */
function starts(problem: Problem, dimension: Dimension, loops: readonly NestLoop[]): number[] {
  const extent = extentOf(problem, dimension)
  let coordinates = [0]
  for (const loop of loops) {
    if (loop.dimension !== dimension || loop.bound === 1) continue
    const next: number[] = []
    for (const base of coordinates) {
      for (let trip = 0; trip < loop.bound && base + trip * loop.step < extent; trip++) next.push(base + trip * loop.step)
    }
    coordinates = next
  }
  return coordinates
}

interface AxisFacts {
  readonly stride: number
  readonly dilation: number
  readonly padding: number
}

function axis(problem: Problem, window: 'P' | 'Q'): AxisFacts {
  const k = window === 'P' ? 0 : 1
  return { stride: problem.stride[k], dilation: problem.dilation[k], padding: problem.padding[k] }
}

/** Rows (or columns) that all buffer tiles of inputs touch, and those of them inside the plane: a bounding box for each tile. */
function tileSpans(nest: Nest, window: 'P' | 'Q', filter: 'R' | 'S', extent: number): { touched: number; inside: number } {
  const { problem, tile, grid, dram } = nest
  const { stride, dilation, padding } = axis(problem, window)
  const outer = [...grid, ...dram]
  let touched = 0
  let inside = 0
  for (const p of starts(problem, window, outer)) {
    for (const r of starts(problem, filter, outer)) {
      const first = p * stride + r * dilation - padding
      const span =
        (Math.min(tile[window], problem[window] - p) - 1) * stride +
        (Math.min(tile[filter], problem[filter] - r) - 1) * dilation +
        1
      touched += span
      inside += Math.max(0, Math.min(extent, first + span) - Math.max(0, first))
    }
  }
  return { touched, inside }
}

/** Pairs of an output and a filter coordinate; with an extent, only those whose input lies inside the plane. */
function pairs(problem: Problem, window: 'P' | 'Q', filter: 'R' | 'S', extent?: number): number {
  if (extent === undefined) return problem[window] * problem[filter]
  const { stride, dilation, padding } = axis(problem, window)
  let count = 0
  for (let p = 0; p < problem[window]; p++) {
    for (let r = 0; r < problem[filter]; r++) {
      const at = p * stride + r * dilation - padding
      if (at >= 0 && at < extent) count++
    }
  }
  return count
}

/** Columns that a sliding register window loads: all S at the start of each run of its Q loop, then `slide` new ones a step. */
function slidColumns(nest: Nest, plane: InputExtent | undefined): number {
  const { problem, grid, dram, buffer, lanes, fill, slide } = nest
  const temporal = [...dram, ...buffer]
  const run = temporal[fill.registers.inputs - 1]
  const { stride, padding } = axis(problem, 'Q')
  let count = 0
  for (const base of starts(problem, 'Q', [...grid, ...temporal.filter((loop) => loop !== run), ...lanes])) {
    for (let trip = 0; trip < (run?.bound ?? 1) && base + trip < problem.Q; trip++) {
      for (let s = trip === 0 ? 0 : problem.S - slide; s < problem.S; s++) {
        const at = (base + trip) * stride + s - padding
        if (plane === undefined || (at >= 0 && at < plane.columns)) count++
      }
    }
  }
  return count
}

/** Inputs handed along Q as S advances, for one setting of the other dimensions: who loads and who takes from a neighbour. */
function forwarded(nest: Nest): { loads: number; handed: number } {
  const { problem, grid, dram, buffer, lanes } = nest
  const temporal = [...dram, ...buffer]
  const across = lanes.at(-1)
  const inner = temporal.at(-1)
  const runs = settings(
    problem,
    'S',
    temporal.filter((loop) => loop !== inner),
  )
  const later = problem.S - runs
  let loads = 0
  let handed = 0
  for (const base of starts(problem, 'Q', [...grid, ...temporal, ...lanes.filter((loop) => loop !== across)])) {
    const active = Math.min(across?.bound ?? 1, Math.ceil((problem.Q - base) / (across?.step ?? 1)))
    loads += active * runs + later
    handed += (active - 1) * later
  }
  return { loads, handed }
}
