/**
 * A mapping as digits: think of every coordinate as a number in mixed radix, one digit per loop, outermost first, e.g. with
 * Q 2 at DRAM, Q 4 over x and Q 3 in the register file, q = 12·d₀ + 3·d₁ + d₂. A point whose coordinate is not below the extent
 * does not exist, so counting steps or words of a ragged mapping is counting numbers below the extent with some digits held at 0.
 */
import type { Hardware } from '../schedule/hardware.ts'
import { keeps, type Mapping } from '../schedule/mapping.ts'
import { DIMENSIONS, OPERANDS, extentOf, type Operand, type Problem } from '../schedule/problem.ts'

/** One loop of the mapping with more than one trip. */
export interface Digit {
  /** Index into DIMENSIONS. */
  readonly dimension: number
  readonly bound: number
  /** How far one trip moves the coordinate. */
  readonly stride: number
  readonly level: number
  readonly axis: 'temporal' | 'x' | 'y'
  /** Position among all loops from the outermost in; of two temporal loops the smaller one is outside. */
  readonly order: number
}

export interface Nest {
  readonly problem: Problem
  readonly hardware: Hardware
  readonly mapping: Mapping
  readonly depth: number
  /** All loops of more than one trip, outermost first. */
  readonly digits: readonly Digit[]
  /** The same by dimension. */
  readonly byDimension: readonly (readonly Digit[])[]
  readonly extents: readonly number[]
  /** Levels that keep an operand, outermost first. */
  readonly kept: Readonly<Record<Operand, readonly number[]>>
  /** Whether a level's fan-out serves several children with one read. */
  readonly multicast: readonly boolean[]
}

/** The digits of a legal mapping (see `checkMapping`). Along one level the digits of x are outside those of y. */
export function nestOf(problem: Problem, hardware: Hardware, mapping: Mapping): Nest {
  const extents = DIMENSIONS.map((dimension) => extentOf(problem, dimension))
  const strides = DIMENSIONS.map(() => 1)
  const digits: Digit[] = []
  let order = 0
  for (let level = mapping.levels.length - 1; level >= 0; level--) {
    const { temporal = [], spatial } = mapping.levels[level] ?? {}
    for (const [axis, loops] of [
      ['y', spatial?.y ?? []],
      ['x', spatial?.x ?? []],
      ['temporal', temporal],
    ] as const) {
      for (let at = loops.length - 1; at >= 0; at--) {
        const [name, bound] = loops[at] ?? ['N', 1]
        if (bound === 1) continue
        const dimension = DIMENSIONS.indexOf(name)
        const stride = strides[dimension] ?? 1
        digits.push({ dimension, bound, stride, level, axis, order: order-- })
        strides[dimension] = stride * bound
      }
    }
  }
  digits.reverse()
  const kept = Object.fromEntries(
    OPERANDS.map((operand) => [operand, mapping.levels.flatMap((_, level) => (keeps(mapping, level, operand) ? [level] : []))]),
  )
  return {
    problem,
    hardware,
    mapping,
    depth: mapping.levels.length,
    digits,
    byDimension: DIMENSIONS.map((_, dimension) => digits.filter((digit) => digit.dimension === dimension)),
    extents,
    kept: { weights: kept.weights ?? [], inputs: kept.inputs ?? [], outputs: kept.outputs ?? [] },
    multicast: hardware.levels.map((level) => level.multicast ?? true),
  }
}

/**
 * How many numbers below `limit` have every digit below its cap (a cap of 1 holds the digit at 0, its bound leaves it free).
 * @param caps one per digit, outermost first
 */
export function countBelow(limit: number, digits: readonly Digit[], caps: readonly number[]): number {
  if (limit <= 0) return 0
  let ways = 1
  let span = 1
  for (let i = 0; i < digits.length; i++) {
    ways *= caps[i] ?? 1
    span *= digits[i]?.bound ?? 1
  }
  if (limit >= span) return ways
  let total = 0
  let rest = limit
  for (let i = 0; i < digits.length; i++) {
    const stride = digits[i]?.stride ?? 1
    const cap = caps[i] ?? 1
    const digit = Math.floor(rest / stride)
    ways /= cap
    if (digit >= cap) return total + cap * ways
    total += digit * ways
    rest -= digit * stride
  }
  return total
}

/** Extent of a tile of `level` along a dimension, before clipping: the product of the bounds at the level and inside it. */
export function tileLength(nest: Nest, level: number, dimension: number): number {
  let length = 1
  for (const digit of nest.byDimension[dimension] ?? []) if (digit.level >= level) length *= digit.bound
  return length
}
