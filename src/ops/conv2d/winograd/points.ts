/**
 * What Winograd's transforms do to rounding errors, from their matrices (shaders/conv/winograd/f2.wgsl, f4.wgsl), and what they add.
 *
 * To first order |ŷ − y| ≤ γ_n · |Aᵀ| (Σ_c |G||g||Gᵀ| ⊙ |Bᵀ||d||B|) |A| with n roundings from an operand to a result (Barabasz, Anderson,
 * Soodhalter, Gregg, "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", ACM TOMS 46(4), 2020,
 * theorem 2, element by element). With the largest |g| and |d| of each channel taken out, what is left is a number of the algorithm's:
 *
 *     κ = max_i Σ_p |Aᵀ_ip| · Σ_r |G_pr| · Σ_k |Bᵀ_pk|       along an axis; κ² for patches that are square
 *
 * F(2, 3): 8. F(4, 3): 48 by the usual points 0, ±1, ±2, ∞ and 22 by 0, ±1/2, ±2, ∞, which are used for this reason.
 *
 * Roundings are no worst case: with errors of mean zero, each independent of those before it, n of them amount to λ · √n · u in the
 * stead of n · u, with probability 1 − 2 exp(−λ²/2) (Higham, Mary, "A New Approach to Probabilistic Rounding Error Analysis", SIAM J. Sci.
 * Comput. 41(5), 2019). λ = 6 leaves 3 in 10⁸. The same holds across points: a sum's C roundings at one are independent of those at another
 * and add up as squares do,
 *
 *     κ₂ = max_i (Σ_p (|Aᵀ_ip| · Σ_r |G_pr| · Σ_k |Bᵀ_pk|)²)^½       F(2, 3): 4.7, F(4, 3): 11.8
 *
 * whereas one rounding of a transform may reach several points, with κ. Few roundings are taken at their worst, where that is less.
 */
import { F32_ROUNDOFF, gamma } from '../../tolerance.ts'
import type { Tile } from './geometry.ts'

type Matrix = readonly (readonly number[])[]

interface Points {
  /** Bᵀ, [patch][patch]: values to points. */
  readonly values: Matrix
  /** G, [patch][3]: filters to points. */
  readonly filter: Matrix
  /** Aᵀ, [tile][patch]: points to outputs. */
  readonly outputs: Matrix
  /** Roundings from an operand to a result along an axis, as the shaders compute them. */
  readonly roundings: { readonly values: number; readonly filter: number; readonly outputs: number }
  /** Additions of a transform of one row. */
  readonly additions: { readonly values: number; readonly outputs: number }
}

/** The matrices that the shaders have written out. */
export const POINTS: Readonly<Record<Tile, Points>> = {
  2: {
    values: [
      [1, 0, -1, 0],
      [0, 1, 1, 0],
      [0, -1, 1, 0],
      [0, 1, 0, -1],
    ],
    filter: [
      [1, 0, 0],
      [1 / 2, 1 / 2, 1 / 2],
      [1 / 2, -1 / 2, 1 / 2],
      [0, 0, 1],
    ],
    outputs: [
      [1, 1, 1, 0],
      [0, 1, -1, -1],
    ],
    roundings: { values: 1, filter: 2, outputs: 2 },
    additions: { values: 4, outputs: 4 },
  },
  4: {
    values: [
      [1, 0, -17 / 4, 0, 1, 0],
      [0, -2, -4, 1 / 2, 1, 0],
      [0, 2, -4, -1 / 2, 1, 0],
      [0, -1 / 2, -1 / 4, 2, 1, 0],
      [0, 1 / 2, -1 / 4, -2, 1, 0],
      [0, 1, 0, -17 / 4, 0, 1],
    ],
    filter: [
      [1, 0, 0],
      [-8 / 15, -4 / 15, -2 / 15],
      [-8 / 15, 4 / 15, -2 / 15],
      [1 / 30, 1 / 15, 2 / 15],
      [1 / 30, -1 / 15, 2 / 15],
      [0, 0, 1],
    ],
    outputs: [
      [1, 1, 1, 1, 1, 0],
      [0, 1 / 2, -1 / 2, 2, -2, 0],
      [0, 1 / 4, 1 / 4, 4, 4, 0],
      [0, 1 / 8, -1 / 8, 8, -8, 1],
    ],
    // Of values, 17/4 · d rounds. Of filters, the factor, the product and two sums.
    roundings: { values: 2, filter: 4, outputs: 3 },
    additions: { values: 12, outputs: 10 },
  },
}

/** κ of a tile along one axis, and κ₂. */
export function amplification(tile: Tile): { readonly worst: number; readonly squares: number } {
  const { values, filter, outputs } = POINTS[tile]
  const magnitude = (row: readonly number[] | undefined): number => (row ?? []).reduce((sum, entry) => sum + Math.abs(entry), 0)
  const rows = outputs.map((row) => row.map((entry, point) => entry * magnitude(filter[point]) * magnitude(values[point])))
  return { worst: Math.max(...rows.map(magnitude)), squares: Math.max(...rows.map((row) => Math.hypot(...row))) }
}

export interface Rounding {
  readonly isTall: boolean
  /** Of a group: the terms of a product. */
  readonly channels: number
  /** What values and filters at the points are stored in. */
  readonly stored: 'f32' | 'f16'
  readonly accumulate: 'f32' | 'f16'
}

const HALF_ROUNDOFF = 2 ** -11
/** λ: standard deviations' worth of roundings. */
const CONFIDENCE = 6

/** E of |error| ≤ E · taps · Σ_c max|g| · max|d| (tolerance.ts). */
export function errorOf(tile: Tile, { isTall, channels, stored, accumulate }: Rounding): number {
  const { values, filter, outputs } = POINTS[tile].roundings
  const axes = isTall ? 2 : 1
  const { worst, squares } = amplification(tile)
  const [most, spread] = [worst ** axes, squares ** axes]
  const amount = (transforms: number, sums: number, roundoff: number): number =>
    Math.min(
      most * gamma(transforms + sums, roundoff),
      CONFIDENCE * roundoff * Math.sqrt(transforms * most ** 2 + sums * spread ** 2),
    )
  const inFull = amount(axes * (values + filter + outputs), channels, F32_ROUNDOFF)
  const inHalves = amount(stored === 'f16' ? 2 : 0, accumulate === 'f16' ? channels + 1 : 0, HALF_ROUNDOFF)
  return (inFull + inHalves) / 3 ** axes
}

/** Additions of the transforms of one tile: of a channel's values, and of a filter's outputs. */
export function additionsOf(tile: Tile, isTall: boolean): { input: number; output: number } {
  const { values, outputs } = POINTS[tile].additions
  const patch = tile + 2
  return isTall ? { input: 2 * patch * values, output: (patch + tile) * outputs } : { input: values, output: outputs }
}
