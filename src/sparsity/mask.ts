/**
 * Which weights a pattern keeps, by magnitude: think of a stencil laid over the weights, 1 where one shows through. What is kept
 * and what is cut is decided by size alone (Han, Pool, Tran, Dally, NeurIPS 2015; whole filters by norm after Li et al., ICLR 2017).
 *
 * Weights are W [M, C, …taps]: filters, input channels of a group, taps. Of equals the one with the lower index is kept.
 */
import { ShapeError } from '../errors.ts'
import { largestOf, magnitudesOf } from './magnitude.ts'
import { checkPattern, type BlockPattern, type PrunePattern } from './pattern.ts'

export interface Weights {
  /** In the order of the shape, the last dimension fastest. */
  readonly values: ArrayLike<number>
  /** [M, C, …taps] */
  readonly shape: readonly number[]
}

/** M filters of C channels of `taps` weights. */
interface Extents {
  readonly filters: number
  readonly channels: number
  readonly taps: number
}

/**
 * The weights that stay, 1 each, in the order of the values.
 * - `2:4`: of four neighbouring channels at a tap the two largest; with `share`, as many neighbouring filters keep the same two,
 *   those with the largest Σ|w| over them. Channels missing in the last group count as zeros.
 * - `unstructured`: exactly round(sparsity · weights) are cut, the smallest of all.
 * - `filter`, `channel`: round(sparsity · filters) are cut, those of the smallest L2 norm; one stays at least.
 * - `block`: of the matrix [M, C·taps], likewise by mean |w|, so that a block cut short by the edge is not cut out for that.
 * @throws ShapeError for fewer than two dimensions or values that are not as many; OptionError for NaN or infinite weights, or a
 * pattern that is none
 */
export function pruneMask(weights: Weights, pattern: PrunePattern): Uint8Array {
  checkPattern(pattern)
  const extents = extentsOf(weights)
  const magnitudes = magnitudesOf(weights.values)
  switch (pattern.kind) {
    case '2:4':
      return twoOfFourMask(magnitudes, extents, pattern.share)
    case 'unstructured':
      return largestMask(magnitudes, magnitudes.length - Math.round(pattern.sparsity * magnitudes.length))
    case 'filter':
      return filterMask(magnitudes, extents, pattern.sparsity)
    case 'channel':
      return channelMask(magnitudes, extents, pattern.sparsity)
    case 'block':
      return blockMask(magnitudes, extents, pattern)
  }
}

/** @throws ShapeError for fewer than two dimensions, or values that are not as many as the shape says */
export function extentsOf({ values, shape }: Weights): Extents {
  const [filters, channels, ...spatial] = shape
  if (filters === undefined || channels === undefined || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new ShapeError('These are no weights to prune', {
      shape,
      remedy: 'Give [filters, channels] or [filters, channels, …taps]',
    })
  }
  const taps = spatial.reduce((product, size) => product * size, 1)
  if (filters * channels * taps !== values.length) {
    throw new ShapeError(`There are ${values.length} weights and room for ${filters * channels * taps}`, { shape })
  }
  return { filters, channels, taps }
}

function twoOfFourMask(magnitudes: Float32Array, { filters, channels, taps }: Extents, share: number): Uint8Array {
  const mask = new Uint8Array(magnitudes.length)
  const row = channels * taps
  for (let top = 0; top < filters; top += share) {
    const start = top * row
    const end = Math.min(top + share, filters) * row
    for (let channel = 0; channel < channels; channel += 4) {
      const there = Math.min(4, channels - channel)
      for (let tap = 0; tap < taps; tap++) {
        const first = start + channel * taps + tap
        let a = 0
        let b = there > 1 ? 0 : -1
        let c = there > 2 ? 0 : -1
        let d = there > 3 ? 0 : -1
        for (let at = first; at < end; at += row) {
          a += magnitudes[at] ?? 0
          if (there > 1) b += magnitudes[at + taps] ?? 0
          if (there > 2) c += magnitudes[at + 2 * taps] ?? 0
          if (there > 3) d += magnitudes[at + 3 * taps] ?? 0
        }
        // One is kept where at most one other beats it: a larger one, or an equal one before it.
        const keepA = +(b > a) + +(c > a) + +(d > a) < 2
        const keepB = +(a >= b) + +(c > b) + +(d > b) < 2
        const keepC = +(a >= c) + +(b >= c) + +(d > c) < 2
        const keepD = +(a >= d) + +(b >= d) + +(c >= d) < 2
        for (let at = first; at < end; at += row) {
          if (keepA) mask[at] = 1
          if (keepB && there > 1) mask[at + taps] = 1
          if (keepC && there > 2) mask[at + 2 * taps] = 1
          if (keepD && there > 3) mask[at + 3 * taps] = 1
        }
      }
    }
  }
  return mask
}

/** 1 for the `count` largest. */
function largestMask(magnitudes: Float32Array, count: number): Uint8Array {
  const mask = new Uint8Array(magnitudes.length)
  const { threshold, ties } = largestOf(magnitudes, count)
  let left = ties
  for (let at = 0; at < magnitudes.length; at++) {
    const magnitude = magnitudes[at] ?? 0
    if (magnitude > threshold || (magnitude === threshold && left-- > 0)) mask[at] = 1
  }
  return mask
}

/** 1 for the parts with the largest scores: round(sparsity · parts) are cut, but one; of equals the first stay. */
function keptParts(scores: Float64Array, sparsity: number): Uint8Array {
  const cut = Math.min(Math.round(sparsity * scores.length), scores.length - 1)
  const sorted = scores.toSorted()
  const threshold = sorted[cut] ?? 0
  let ties = 0
  while (sorted[cut + ties] === threshold) ties++
  const kept = new Uint8Array(scores.length)
  for (let part = 0; part < scores.length; part++) {
    const score = scores[part] ?? 0
    if (score > threshold || (score === threshold && ties-- > 0)) kept[part] = 1
  }
  return kept
}

function filterMask(magnitudes: Float32Array, { filters }: Extents, sparsity: number): Uint8Array {
  const row = filters === 0 ? 0 : magnitudes.length / filters
  const scores = new Float64Array(filters)
  for (let filter = 0, at = 0; filter < filters; filter++) {
    let score = 0
    for (const end = at + row; at < end; at++) score += (magnitudes[at] ?? 0) ** 2
    scores[filter] = score
  }
  const kept = keptParts(scores, sparsity)
  const mask = new Uint8Array(magnitudes.length)
  for (let filter = 0; filter < filters; filter++) mask.fill(kept[filter] ?? 0, filter * row, (filter + 1) * row)
  return mask
}

function channelMask(magnitudes: Float32Array, { filters, channels, taps }: Extents, sparsity: number): Uint8Array {
  const scores = new Float64Array(channels)
  for (let filter = 0, at = 0; filter < filters; filter++) {
    for (let channel = 0; channel < channels; channel++) {
      let score = 0
      for (const end = at + taps; at < end; at++) score += (magnitudes[at] ?? 0) ** 2
      scores[channel] = (scores[channel] ?? 0) + score
    }
  }
  const kept = keptParts(scores, sparsity)
  const mask = new Uint8Array(magnitudes.length)
  for (let part = 0; part < filters * channels; part++) mask.fill(kept[part % channels] ?? 0, part * taps, (part + 1) * taps)
  return mask
}

function blockMask(magnitudes: Float32Array, extents: Extents, { rows, columns, sparsity }: BlockPattern): Uint8Array {
  const { filters, channels, taps } = extents
  const width = channels * taps
  const across = Math.ceil(width / columns)
  const scores = new Float64Array(Math.ceil(filters / rows) * across)
  const eachRun = (visit: (block: number, start: number, end: number) => void): void => {
    for (let filter = 0; filter < filters; filter++) {
      const first = Math.floor(filter / rows) * across
      const start = filter * width
      for (let block = 0; block < across; block++) {
        visit(first + block, start + block * columns, start + Math.min((block + 1) * columns, width))
      }
    }
  }
  eachRun((block, start, end) => {
    let score = 0
    for (let at = start; at < end; at++) score += magnitudes[at] ?? 0
    scores[block] = (scores[block] ?? 0) + score
  })
  for (let block = 0; block < scores.length; block++) {
    const down = Math.min(rows, filters - Math.floor(block / across) * rows)
    const wide = Math.min(columns, width - (block % across) * columns)
    scores[block] = (scores[block] ?? 0) / (down * wide)
  }
  const kept = keptParts(scores, sparsity)
  const mask = new Uint8Array(magnitudes.length)
  eachRun((block, start, end) => mask.fill(kept[block] ?? 0, start, end))
  return mask
}

export interface MaskReport {
  readonly weights: number
  /** Weights that the mask keeps; those of them that are not zero. */
  readonly kept: number
  readonly nonZero: number
  /** Part of the weights that is zero once masked. */
  readonly sparsity: number
  /** Σ|w| of all weights, and of those kept. */
  readonly magnitude: number
  readonly keptMagnitude: number
  /** keptMagnitude / magnitude; 1 where all weights are zero. */
  readonly retained: number
}

/** What a mask leaves of the weights. @throws ShapeError where the mask is of others */
export function maskReport({ values }: Pick<Weights, 'values'>, mask: Uint8Array): MaskReport {
  if (mask.length !== values.length) throw new ShapeError(`A mask of ${mask.length} for ${values.length} weights`)
  let kept = 0
  let nonZero = 0
  let magnitude = 0
  let keptMagnitude = 0
  for (let at = 0; at < mask.length; at++) {
    const size = Math.abs(values[at] ?? 0)
    magnitude += size
    if (mask[at] === 0) continue
    kept++
    if (size > 0) nonZero++
    keptMagnitude += size
  }
  return {
    weights: mask.length,
    kept,
    nonZero,
    sparsity: mask.length === 0 ? 0 : 1 - nonZero / mask.length,
    magnitude,
    keptMagnitude,
    retained: magnitude === 0 ? 1 : keptMagnitude / magnitude,
  }
}
