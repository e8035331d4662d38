/**
 * How zeros lie in an operand, and how likely a tile of it holds nothing else. Think of a shelf with some empty boxes: an order for a
 * whole row of boxes can be left unfilled only if all of them are empty. Three ways for zeros to lie, after Wu, Tsai, Parashar,
 * Sze, Emer, "Sparseloop", MICRO 2022, section 5.3 (their uniform, fixed structured and structured densities):
 *
 * - random: `zeros` of N words, each set as likely as another. A tile of s words is empty with the hypergeometric
 *   C(N − s, N·d) / C(N, N·d) = Π_{i<s} (zeros − i) / (N − i).
 * - even: each tile of s words holds s·d that are not zero; it is empty with max(0, 1 − s·d).
 * - kept of `of` (2:4): of each group along the channels some are kept, each choice as likely as another. A line's j words of one
 *   group are empty with C(of − j, kept) / C(of, kept), lines and groups for themselves.
 */
import { OptionError } from '../errors.ts'
import { inputSpan, type Problem } from '../schedule/problem.ts'

/** Part that is not zero, at random; the same with how it is spread; or so many kept of each group along the channels. */
export type Density =
  | number
  | { readonly density: number; readonly spread: 'random' | 'even' }
  | { readonly kept: number; readonly of: number }

/** Words of a tile: `lines`, each with so many channels of every group that it reaches (one entry where groups do not matter). */
export interface TileShape {
  readonly lines: number
  readonly held: readonly number[]
}

/** Zeros of one operand. */
export interface Zeros {
  readonly density: number
  /** Channels of a group, where which of them a tile holds matters. */
  readonly group?: number
  /** How likely a tile holds nothing but zeros. */
  empty(tile: TileShape): number
}

/**
 * @param words of the whole operand
 * @throws OptionError for a density that is not from 0 to 1, or groups that keep more than they have
 */
export function zeroModel(given: Density, words: number): Zeros {
  if (typeof given === 'object' && 'kept' in given) return groupedZeros(given)
  const { density, spread } = typeof given === 'number' ? { density: given, spread: 'random' as const } : given
  if (!(density >= 0 && density <= 1)) {
    throw new OptionError(`A density of ${density}`, { limit: 'a fraction from 0 to 1: the part that is not zero' })
  }
  const size = ({ lines, held }: TileShape): number => lines * held.reduce((sum, words) => sum + words, 0)
  const empty =
    spread === 'even'
      ? (tile: TileShape): number => Math.max(0, 1 - size(tile) * density)
      : (tile: TileShape): number => emptyAtRandom(words, density, size(tile))
  return { density, empty }
}

function groupedZeros({ kept, of }: { readonly kept: number; readonly of: number }): Zeros {
  if (!(Number.isInteger(kept) && Number.isInteger(of) && kept >= 0 && of >= 1 && kept <= of && of <= 1024)) {
    throw new OptionError(`${kept} of ${of} values are kept`, {
      limit: 'whole numbers, the first at most the second, at most 1024',
    })
  }
  const empty = ({ lines, held }: TileShape): number =>
    held.reduce((line, words) => line * allZero(of, of - kept, words), 1) ** lines
  return { density: kept / of, group: of, empty }
}

/** The hypergeometric, between whole numbers of zeros weighted so that the mean is exact. */
export function emptyAtRandom(words: number, density: number, tile: number): number {
  const zeros = words * (1 - density)
  const low = Math.floor(zeros + 1e-9)
  const part = Math.max(0, zeros - low)
  const below = allZero(words, low, tile)
  return part === 0 ? below : (1 - part) * below + part * allZero(words, low + 1, tile)
}

/** How likely `drawn` of `words` are all among its `zeros`. */
function allZero(words: number, zeros: number, drawn: number): number {
  if (drawn > zeros) return drawn === 0 ? 1 : 0
  let probability = 1
  for (let i = 0; i < drawn && probability > Number.MIN_VALUE; i++) probability *= (zeros - i) / (words - i)
  return probability
}

/**
 * How likely none of `places` pairs has both its values: the first operand's values at `places` of its words, the second's at as many,
 * both at random: Σ_a P(a of the places are held by the first) · P(the second is zero at those a).
 */
export function neverMeet(
  first: { readonly words: number; readonly density: number },
  second: { readonly words: number; readonly density: number },
  places: number,
): number {
  const held = Math.round(first.words * first.density)
  const zeros = first.words - held
  const secondZeros = Math.round(second.words * (1 - second.density))
  const low = Math.max(0, places - zeros)
  const high = Math.min(places, held)
  // P(a) by ratios from its logarithm at the lowest a: C(held, a) C(zeros, places − a) / C(words, places).
  let log = logChoose(held, low) + logChoose(zeros, places - low) - logChoose(first.words, places)
  let empty = allZero(second.words, secondZeros, low)
  let sum = 0
  for (let a = low; a <= high; a++) {
    sum += Math.exp(log) * empty
    log += Math.log((held - a) / (a + 1)) + Math.log((places - a) / (zeros - places + a + 1))
    empty *= Math.max(0, (secondZeros - a) / (second.words - a))
    if (empty === 0) break
  }
  return Math.min(1, sum)
}

function logChoose(n: number, k: number): number {
  return logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1)
}

/** ln Γ(x) for x ≥ 1: exact sums below 32, Stirling's series above (its next term is below 1e-13 there). */
function logGamma(x: number): number {
  if (x < 32) {
    let sum = 0
    for (let i = 2; i < x; i++) sum += Math.log(i)
    return sum
  }
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5)
}

/** Inputs with their padding: the density times the part of the MACs that meet no padding. */
export function paddedDensity(problem: Problem, given: Density | undefined): Density {
  if (given === undefined) return 1
  const real = realPart(problem)
  if (typeof given === 'number') return given * real
  if ('density' in given) return { ...given, density: given.density * real }
  if (real === 1) return given
  throw new OptionError('Inputs kept in groups lie beside zero padding here', {
    operand: 'inputs',
    remedy: 'Give the part of the inputs that is not zero',
  })
}

/** Part of the MACs whose input is no padding. */
function realPart(problem: Problem): number {
  const { rows, columns } = inputSpan(problem)
  const [top, left, bottom, right] = problem.padding
  const along = (outer: number, U: number, inner: number, D: number, before: number, end: number): number => {
    let count = 0
    for (let i = 0; i < inner; i++) {
      // before ≤ o·U + i·D < end
      const first = Math.max(0, Math.ceil((before - i * D) / U))
      const last = Math.min(outer, Math.ceil((end - i * D) / U))
      count += Math.max(0, last - first)
    }
    return count / (outer * inner)
  }
  return (
    along(problem.P, problem.stride[0], problem.R, problem.dilation[0], top, rows - bottom) *
    along(problem.Q, problem.stride[1], problem.S, problem.dilation[1], left, columns - right)
  )
}
