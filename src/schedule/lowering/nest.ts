/**
 * A mapping as the loop nest that a workgroup runs. Think of it as the mapping with every question answered that the WGSL and
 * the prediction of issued accesses both ask: each loop's coordinate step, where each tile is filled, where outputs drain.
 *
 *   grid (workgroups)                      DRAM's spatial split: no multicast between workgroups
 *     for DRAM loops        depth 0 … nd   a buffer tile of an operand is filled at depth `fill.buffer[operand]`
 *       for buffer loops    depth … nd+ng  a register tile at depth `fill.registers[operand]`
 *         lanes (invocations)              the buffer's spatial split
 *           for register loops             constant trip counts
 *             MAC
 *
 * A tile is filled just inside the innermost loop that its operand depends on; loops of one trip do not count.
 */
import { MappingError } from '../../errors.ts'
import { keeps, type Loop, type Mapping } from '../mapping.ts'
import { DIMENSIONS, OPERANDS, REDUCTION, extentOf, isRelevant, type Dimension, type Operand, type Problem } from '../problem.ts'

export interface NestLoop {
  readonly dimension: Dimension
  readonly bound: number
  /** How far one trip moves the coordinate: the product of the inner bounds of the same dimension. */
  readonly step: number
}

export type OperandDepths = Readonly<Record<Operand, number>>

export interface Nest {
  readonly problem: Problem
  readonly grid: readonly NestLoop[]
  readonly dram: readonly NestLoop[]
  readonly buffer: readonly NestLoop[]
  /** Lanes from the slowest to the fastest: loops over outputs first, then those that are summed over. */
  readonly lanes: readonly NestLoop[]
  readonly registers: readonly NestLoop[]
  /** Operands with a tile in the buffer, and in registers. */
  readonly keep: { readonly buffer: ReadonlySet<Operand>; readonly registers: ReadonlySet<Operand> }
  /** Number of temporal loops outside the place where a tile is filled (outputs: begun, and drained at its end). */
  readonly fill: { readonly buffer: OperandDepths; readonly registers: OperandDepths }
  /** Extent of a buffer tile and of a register tile along each dimension. */
  readonly tile: Readonly<Record<Dimension, number>>
  readonly registerTile: Readonly<Record<Dimension, number>>
  /** Lanes that are summed into one result, and that number as the kernel lays it out (a power of two for subgroup sums). */
  readonly reduction: number
  /** Register window of inputs slides along Q: columns new at each step; 0 when it does not slide. */
  readonly slide: number
  /** Inputs are handed from lane to lane along x as S advances. */
  readonly forward: boolean
}

const LEVELS = 3

/** Steps that one trip of each loop over time takes (DRAM's, the buffer's, the registers'), from the outermost in. */
export function ticksOf({ dram, buffer, registers }: Nest): number[] {
  const loops = [...dram, ...buffer, ...registers]
  return loops.map((_, k) => loops.slice(k + 1).reduce((steps, { bound }) => steps * bound, 1))
}

/** @throws MappingError when the mapping is not one that a workgroup can run. */
export function nestOf(problem: Problem, mapping: Mapping): Nest {
  if (mapping.levels.length !== LEVELS) {
    throw new MappingError(`A mapping for this GPU has ${LEVELS} levels (DRAM, buffer, registers), not ${mapping.levels.length}`)
  }
  const [outer, middle, inner] = mapping.levels as readonly [Mapping['levels'][0], Mapping['levels'][0], Mapping['levels'][0]]
  const spatial = (level: Mapping['levels'][0]): Loop[] => [...(level.spatial?.x ?? []), ...(level.spatial?.y ?? [])]
  if (spatial(inner).length > 0)
    throw new MappingError('Registers have no spatial split: there is nothing below them', { level: inner.name })

  const groups = {
    dram: outer.temporal,
    grid: spatial(outer),
    buffer: middle.temporal,
    lanes: spatial(middle),
    registers: inner.temporal,
  }
  const steps = new Map<Loop, number>()
  const order = Object.values(groups).flat()
  for (const dimension of DIMENSIONS) {
    let step = 1
    for (const loop of order.toReversed()) {
      if (loop[0] !== dimension) continue
      steps.set(loop, step)
      step *= loop[1]
    }
    if (step < extentOf(problem, dimension)) {
      throw new MappingError(
        `The bounds of ${dimension} multiply to ${step}, less than the problem's ${extentOf(problem, dimension)}`,
      )
    }
  }
  const placed = (loops: readonly Loop[]): NestLoop[] =>
    loops.map((loop) => ({ dimension: loop[0], bound: loop[1], step: steps.get(loop) ?? 1 }))

  const grid = placed(groups.grid).filter((loop) => loop.bound > 1)
  const dram = placed(groups.dram)
  const buffer = placed(groups.buffer)
  const lanesInOrder = placed(groups.lanes).filter((loop) => loop.bound > 1)
  const isSum = (loop: NestLoop): boolean => REDUCTION.includes(loop.dimension)
  const lanes = [...lanesInOrder.filter((loop) => !isSum(loop)).toReversed(), ...lanesInOrder.filter(isSum)]
  const registers = placed(groups.registers).filter((loop) => loop.bound > 1)
  refuseUnrunnable(grid, dram, buffer, lanes, registers)

  const forward = middle.forward?.inputs === 'x'
  const along = (middle.spatial?.x ?? []).filter(([, bound]) => bound > 1)
  if (forward && along.length !== 1) {
    throw new MappingError('Inputs are forwarded along x, which has to be a single loop', {
      level: middle.name,
      loops: along.map((loop) => loop.join(' ')).join(', ') || 'none',
    })
  }

  const keep = {
    buffer: new Set(OPERANDS.filter((operand) => keeps(mapping, 1, operand))),
    registers: new Set(OPERANDS.filter((operand) => keeps(mapping, 2, operand))),
  }
  const fill = { buffer: depths(dram), registers: depths([...dram, ...buffer]) }
  const tile = extents([...buffer, ...lanes, ...registers])
  const registerTile = extents(registers)
  if (keep.registers.has('inputs') && ((registerTile.P > 1 && registerTile.R > 1) || (registerTile.Q > 1 && registerTile.S > 1))) {
    throw new MappingError('Inputs kept in registers may loop over Q or S (and P or R) inside a PE, not both', {
      level: inner.name,
    })
  }
  const reduction = lanes.filter(isSum).reduce((product, loop) => product * loop.bound, 1)
  return {
    problem,
    grid,
    dram,
    buffer,
    lanes,
    registers,
    keep,
    fill,
    tile,
    registerTile,
    reduction,
    slide: slideOf(problem, [...dram, ...buffer], fill.registers.inputs, keep, registers),
    forward,
  }
}

function refuseUnrunnable(
  grid: readonly NestLoop[],
  dram: readonly NestLoop[],
  buffer: readonly NestLoop[],
  lanes: readonly NestLoop[],
  registers: readonly NestLoop[],
): void {
  for (const loop of grid) {
    if (REDUCTION.includes(loop.dimension)) {
      throw new MappingError(`${loop.dimension} is summed over, so it cannot be spread over workgroups`, {
        level: 'DRAM',
        remedy: 'Make it a temporal loop of DRAM',
      })
    }
    if (dram.some((other) => other.dimension === loop.dimension && other.bound > 1)) {
      throw new MappingError(`${loop.dimension} is both a temporal and a spatial loop of DRAM`, { level: 'DRAM' })
    }
  }
  for (const loop of [...buffer, ...lanes, ...registers]) {
    if (loop.dimension === 'G' && loop.bound > 1) {
      throw new MappingError('Groups share no words: G is a loop of DRAM, not of a tile', { dimension: 'G' })
    }
  }
}

/** For each operand: loops outside its tile = up to and with the innermost relevant one of more than one trip. */
function depths(loops: readonly NestLoop[]): OperandDepths {
  const depth = (operand: Operand): number =>
    loops.findLastIndex((loop) => loop.bound > 1 && isRelevant(operand, loop.dimension)) + 1
  return { weights: depth('weights'), inputs: depth('inputs'), outputs: depth('outputs') }
}

function extents(loops: readonly NestLoop[]): Record<Dimension, number> {
  const result = { G: 1, N: 1, M: 1, C: 1, P: 1, Q: 1, R: 1, S: 1 }
  for (const loop of loops) result[loop.dimension] *= loop.bound
  return result
}

/** A register window [C][S], filled from the buffer under an innermost Q loop, keeps S − U columns from one step to the next. */
function slideOf(
  problem: Problem,
  temporal: readonly NestLoop[],
  depth: number,
  keep: Nest['keep'],
  registers: readonly NestLoop[],
): number {
  const last = temporal[depth - 1]
  const [window, ...others] = registers.filter(({ dimension }) => dimension === 'S')
  const shift = problem.stride[1]
  const slides =
    keep.registers.has('inputs') &&
    keep.buffer.has('inputs') &&
    last?.dimension === 'Q' &&
    last.step === 1 &&
    problem.dilation[1] === 1 &&
    window?.bound === problem.S &&
    others.length === 0 &&
    shift < problem.S
  return slides ? shift : 0
}
