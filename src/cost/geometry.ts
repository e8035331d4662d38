/**
 * Which input coordinates two loops reach together, and which of them are counted. Think of the picture that the filter slides
 * over: rows by p and r, columns by q and s.
 */
import { DIMENSIONS, extentOf, inputSpan, type Problem } from '../schedule/problem.ts'
import type { Range } from './loops.ts'
import type { Window } from './sliding.ts'

/** How input halos are counted, see `evaluate.ts`. */
export type Halo = 'exact' | 'timeloop'

/** Input rows and columns, and the two dimensions that reach each. */
export const PAIRS = [
  [DIMENSIONS.indexOf('P'), DIMENSIONS.indexOf('R')],
  [DIMENSIONS.indexOf('Q'), DIMENSIONS.indexOf('S')],
] as const

/** All steps reach one and the same row. */
export const NO_WINDOW: Window = { outer: 0, inner: 0, boxes: false }

export interface InputGeometry {
  /** By dimension, the coordinates counted where it is an operand's own. */
  readonly ranges: readonly Range[]
  /** By pair; absent where one of its dimensions is a single trip, so that the other's coordinate is the input's own. */
  readonly windows: readonly (Window | undefined)[]
}

/** @param real count only what is not zero padding */
export function inputGeometry(problem: Problem, halo: Halo, real: boolean): InputGeometry {
  const { rows, columns } = inputSpan(problem)
  const [top, left, bottom, right] = real ? problem.padding : [0, 0, 0, 0]
  const counted: readonly Range[] = [
    [top, rows - bottom],
    [left, columns - right],
  ]
  const extents = DIMENSIONS.map((dimension) => extentOf(problem, dimension))
  const ranges = extents.map((extent): Range => [0, extent])
  const windows = PAIRS.map(([outer, inner], pair): Window | undefined => {
    const [U, D] = [problem.stride[pair] ?? 1, problem.dilation[pair] ?? 1]
    const range = counted[pair] ?? [0, 0]
    const alone = extents[inner] === 1 ? outer : extents[outer] === 1 ? inner : -1
    // Bounding boxes span the words between strides.
    if (alone === -1 || (halo === 'timeloop' && (U !== 1 || D !== 1))) {
      return { outer: U, inner: D, boxes: halo === 'timeloop', ...(real ? { range } : {}) }
    }
    const pitch = alone === outer ? U : D
    const within = (row: number): number => Math.max(0, Math.min(Math.ceil(row / pitch), extents[alone] ?? 1))
    ranges[alone] = [within(range[0]), within(range[1])]
    return undefined
  })
  return { ranges, windows }
}
