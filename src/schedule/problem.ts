/**
 * What is computed: the seven loops of a convolution. Think of it as the loop nest
 *   for g, n, m, p, q, c, r, s:  O[n][gM+m][p][q] += W[gM+m][c][r][s] · I[n][gC+c][p·U+r·D−pad][q·U+s·D−pad]
 * after Sze et al. 2017 (their E, F are P, Q here). A matrix product i×j×k has P, M, C = i, j, k.
 */
import { ShapeError } from '../errors.ts'

export const DIMENSIONS = ['G', 'N', 'M', 'C', 'P', 'Q', 'R', 'S'] as const
export type Dimension = (typeof DIMENSIONS)[number]

export const OPERANDS = ['weights', 'inputs', 'outputs'] as const
export type Operand = (typeof OPERANDS)[number]

/** Bounds are of one group: M filters and C channels in each of G `groups`. */
export interface Problem {
  readonly N: number
  readonly M: number
  readonly C: number
  readonly P: number
  readonly Q: number
  readonly R: number
  readonly S: number
  /** [vertical, horizontal] */
  readonly stride: readonly [number, number]
  readonly dilation: readonly [number, number]
  /** top, left, bottom, right */
  readonly padding: readonly [number, number, number, number]
  readonly groups: number
}

/** Dimensions that an operand's coordinates depend on; the others reuse it. */
export const RELEVANT: Readonly<Record<Operand, readonly Dimension[]>> = {
  weights: ['G', 'M', 'C', 'R', 'S'],
  inputs: ['G', 'N', 'C', 'P', 'Q', 'R', 'S'],
  outputs: ['G', 'N', 'M', 'P', 'Q'],
}

/** Dimensions that are summed over. */
export const REDUCTION: readonly Dimension[] = ['C', 'R', 'S']

export function extentOf(problem: Problem, dimension: Dimension): number {
  return dimension === 'G' ? problem.groups : problem[dimension]
}

export function isRelevant(operand: Operand, dimension: Dimension): boolean {
  return RELEVANT[operand].includes(dimension)
}

const KEYS: ReadonlySet<string> = new Set(['N', 'M', 'C', 'P', 'Q', 'R', 'S', 'stride', 'dilation', 'padding', 'groups'])

/** A problem with defaults: stride and dilation 1, padding 0, groups 1, missing bounds 1. @throws ShapeError on a bound below 1. */
export function convProblem(fields: Partial<Problem>): Problem {
  const problem: Problem = {
    N: 1,
    M: 1,
    C: 1,
    P: 1,
    Q: 1,
    R: 1,
    S: 1,
    stride: [1, 1],
    dilation: [1, 1],
    padding: [0, 0, 0, 0],
    groups: 1,
    ...fields,
  }
  for (const dimension of DIMENSIONS) {
    const extent = extentOf(problem, dimension)
    if (!Number.isSafeInteger(extent) || extent < 1) {
      throw new ShapeError(`Loop bound ${dimension} is ${extent}`, { remedy: 'Bounds are integers of at least 1' })
    }
  }
  for (const [name, values, count, least] of [
    ['stride', problem.stride, 2, 1],
    ['dilation', problem.dilation, 2, 1],
    ['padding', problem.padding, 4, 0],
  ] as const) {
    if (values.length !== count || !values.every((value) => Number.isSafeInteger(value) && value >= least)) {
      throw new ShapeError(`The ${name} is [${values.join(', ')}]`, { remedy: `Give ${count} integers of at least ${least}` })
    }
  }
  const unknown = Object.keys(problem).find((name) => !KEYS.has(name))
  if (unknown !== undefined) throw new ShapeError(`A problem has no ${unknown}`, { remedy: `It has ${[...KEYS].join(', ')}` })
  return problem
}

/** The matrix product [i, k] × [k, j] as a problem: P = i, M = j, C = k. */
export function gemmProblem({ i, j, k, batch = 1 }: { i: number; j: number; k: number; batch?: number }): Problem {
  return convProblem({ groups: batch, P: i, M: j, C: k })
}

/** Multiply-accumulates of the whole problem, zero padding included. */
export function macsOf(problem: Problem): number {
  return DIMENSIONS.reduce((product, dimension) => product * extentOf(problem, dimension), 1)
}

/** Rows of input that the whole problem's window spans, padding included: (P−1)·U + (R−1)·D + 1; columns likewise. */
export function inputSpan(problem: Problem): { rows: number; columns: number } {
  return {
    rows: (problem.P - 1) * problem.stride[0] + (problem.R - 1) * problem.dilation[0] + 1,
    columns: (problem.Q - 1) * problem.stride[1] + (problem.S - 1) * problem.dilation[1] + 1,
  }
}
