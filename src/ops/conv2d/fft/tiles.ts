/**
 * How a convolution is cut for transforms of N × N points, and what that costs. A transform multiplies spectra, which is
 * convolution on a ring: of the N results of an axis the last k − 1 have wrapped around, the others are right. Overlap-save
 * (Oppenheim and Schafer, Discrete-Time Signal Processing, §8.7.3) keeps those and lets tiles overlap by what was lost:
 *
 *     X    |----- N -----|                          valid = N − k + 1, k the extent of the filter, dilation folded in
 *                  |----- N -----|
 *                          |----- N -----|
 *     Y    |-valid-|-valid-|-valid-|
 */
import { gamma, F32_ROUNDOFF } from '../../tolerance.ts'
import { macsOf, type Convolution } from '../convolution.ts'

/** Points of a transform along an axis. */
export const TRANSFORM_SIZES = [16, 32, 64] as const
export type TransformSize = (typeof TRANSFORM_SIZES)[number]

export interface Tiles {
  readonly size: TransformSize
  /** Bins of a real row: size / 2 + 1. */
  readonly bins: number
  readonly frequencies: number
  /** What a filter covers, in values of X. */
  readonly span: readonly [y: number, x: number]
  /** Results of a tile. */
  readonly valid: readonly [y: number, x: number]
  /** Tiles of a picture. */
  readonly across: readonly [y: number, x: number]
  /** Tiles of all pictures. */
  readonly count: number
  /** Pairs of channels of X, all groups' side by side. */
  readonly channelPairs: number
  /** Pairs of filters of a group. */
  readonly groupPairs: number
  /** Pairs of filters of all groups, or of all filters where each sees one channel. */
  readonly filterPairs: number
  /** Whether a filter sees one channel: spectra are then multiplied one by one. */
  readonly single: boolean
}

/** Undefined where a filter does not fit a transform. */
export function tilesOf(conv: Convolution, size: TransformSize): Tiles | undefined {
  const { batch, groups, channels, filters, axes } = conv
  const [, y, x] = axes
  const span = [y.dilation * (y.kernel - 1) + 1, x.dilation * (x.kernel - 1) + 1] as const
  const valid = [size - span[0] + 1, size - span[1] + 1] as const
  if (valid[0] < 1 || valid[1] < 1) return undefined
  const across = [Math.ceil(y.output / valid[0]), Math.ceil(x.output / valid[1])] as const
  const single = channels === 1
  const groupPairs = Math.ceil((single ? groups * filters : filters) / 2)
  return {
    size,
    bins: size / 2 + 1,
    frequencies: size * (size / 2 + 1),
    span,
    valid,
    across,
    count: batch * across[0] * across[1],
    channelPairs: Math.ceil((groups * channels) / 2),
    groupPairs,
    filterPairs: single ? groupPairs : groups * groupPairs,
    single,
  }
}

/** N = P · Q of transform.wgsl. */
export const FACTORS: Readonly<Record<TransformSize, readonly [p: number, q: number]>> = { 16: [4, 4], 32: [8, 4], 64: [8, 8] }

/** Real multiplications and additions of a complex transform of one line, as transform.wgsl has it. */
export function lineWork(size: TransformSize): { multiplications: number; additions: number } {
  const [p, q] = FACTORS[size]
  // A complex product is 4 and 2; transforms of 4 have 8 complex additions, of 8 two of those, 2 times √½ and 10 more.
  const short = (points: number): readonly [number, number] => (points === 8 ? [4, 52] : [0, 16])
  const [manyP, addP] = short(p)
  const [manyQ, addQ] = short(q)
  const twiddles = (p - 1) * (q - 1)
  return { multiplications: q * manyP + p * manyQ + 4 * twiddles, additions: q * addP + p * addQ + 2 * twiddles }
}

/** Lines that are transformed, each of one complex sequence: rows and columns forth, columns and rows back. */
export function linesOf({ size, bins, count, channelPairs, filterPairs, valid, single }: Tiles): number {
  const forth = size / 2 + bins
  const back = bins + Math.ceil(valid[0] / 2)
  // A filter that sees one channel transforms the channel's columns for itself.
  const rows = single ? channelPairs * (size / 2) + filterPairs * bins : channelPairs * forth
  return 2 * count * (rows + filterPairs * back)
}

/** Multiply-accumulates of the spectra's product: a complex product is 4. */
export function productMacs({ groups, channels, filters }: Convolution, { frequencies, count }: Tiles): number {
  return 4 * frequencies * count * groups * channels * filters
}

/**
 * What an operation of a transform costs, in operations of the matrix product: transforms move all that they compute, and lines of
 * 64 leave the registers.
 */
const TRANSFORM_COST: Readonly<Record<TransformSize, number>> = { 16: 6, 32: 6, 64: 12 }
/** What a word of the filters' spectra costs, which no cache holds. */
const WORD_COST = 12

/** What transforms of a size cost, in operations of the matrix product. */
export function costOf(conv: Convolution, tiles: Tiles): number {
  const { multiplications, additions } = lineWork(tiles.size)
  return (
    TRANSFORM_COST[tiles.size] * linesOf(tiles) * (multiplications + additions) +
    2 * productMacs(conv, tiles) +
    WORD_COST * 4 * spectraQuads(conv, tiles)
  )
}

/** Sizes that fit, the cheapest first. */
export function sizesFor(conv: Convolution): TransformSize[] {
  return TRANSFORM_SIZES.flatMap((size) => {
    const tiles = tilesOf(conv, size)
    return tiles === undefined ? [] : [{ size, cost: costOf(conv, tiles) }]
  })
    .sort((a, b) => a.cost - b.cost)
    .map(({ size }) => size)
}

/**
 * E of |error| ≤ E · M (tolerance.ts). A transform of n = 2^t points errs by at most t·η/(1 − t·η) of its 2-norm, η = u + γ₄(√2 +
 * u) for twiddles rounded to nearest (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 24.2; radices 4 and
 * 8 have fewer roundings); t = 2·log₂ N over two axes, for X, for the filter and back. As a transform is orthogonal but for a
 * factor and mixes all roundings into every value, the error of a tile lies evenly over it (Schatzman, Accuracy of the Discrete
 * Fourier Transform and the Fast Fourier Transform, SIAM J. Sci. Comput. 17, 1996): its 2-norm is taken for N times the error of
 * one value, and M bounds the values' mean. Between, sums over 2C products.
 */
export function fftError(conv: Convolution, size: TransformSize): number {
  const u = F32_ROUNDOFF
  const eta = u + gamma(4) * (Math.SQRT2 + u)
  const steps = 2 * Math.log2(size) * eta
  return 3 * (steps / (1 - steps)) + Math.SQRT2 * gamma(2 * conv.channels + 2)
}

/** Bytes of all dispatches of a run: spectra and half spectra are written once and read once, the filters' read. */
export function fftBytes(conv: Convolution, tiles: Tiles): number {
  const { size, bins, count, channelPairs, filterPairs, valid, frequencies, single } = tiles
  const half = count * bins * (size * channelPairs + valid[0] * filterPairs)
  const whole = single ? 0 : count * frequencies * (channelPairs + filterPairs)
  return 2 * 16 * (half + whole) + 16 * spectraQuads(conv, tiles)
}

/** vec4 of the filters' spectra. */
export function spectraQuads({ groups, channels }: Convolution, { frequencies, groupPairs, single }: Tiles): number {
  return frequencies * (single ? groupPairs : groups * channels * 2 * groupPairs)
}

/** Multiplications and additions of a run. */
export function fftWork(conv: Convolution, tiles: Tiles): { multiplications: number; additions: number } {
  const line = lineWork(tiles.size)
  const lines = linesOf(tiles)
  const macs = productMacs(conv, tiles)
  return { multiplications: lines * line.multiplications + macs, additions: lines * line.additions + macs }
}

/** Least extent of a filter, along both axes, for which transforms are worth measuring. */
const LEAST_KERNEL = 5

export function isLarge({ axes }: Convolution): boolean {
  const [, y, x] = axes
  return Math.min(y.kernel, x.kernel) >= LEAST_KERNEL
}

/** Operations of a product by the definition over those of transforms of the best size; 0 where there is none. */
export function expectedGain(conv: Convolution): number {
  const [size] = sizesFor(conv)
  const tiles = size === undefined ? undefined : tilesOf(conv, size)
  return tiles === undefined ? 0 : (2 * macsOf(conv)) / costOf(conv, tiles)
}

/**
 * Gains from which transforms were faster than the best other algorithm on a software adapter: a product by the definition runs at
 * the rate of matrix products; groups of one channel are no product, and all that they do is slow; where all filters share one
 * channel, direct tiles load a value once for eight of them.
 */
const WORTHWHILE = { summed: 1.75, depthwise: 0.23, shared: 0.9 }

/** Whether transforms are expected to be the fastest. */
export function isWorthwhile(conv: Convolution): boolean {
  const { groups, channels } = conv
  const least = channels > 1 ? WORTHWHILE.summed : groups > 1 ? WORTHWHILE.depthwise : WORTHWHILE.shared
  return isLarge(conv) && expectedGain(conv) >= least
}
