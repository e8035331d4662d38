/**
 * Magnitudes of weights and which are the largest. Think of a sieve: non-negative f32 numbers sort as their bits do, so two counts
 * of 2^16 and 2^15 bins find the mesh through which as many fall as wanted, whatever their number.
 */
import { OptionError } from '../errors.ts'

/**
 * |w| of each weight, as f32.
 * @throws OptionError for NaN or an infinity (in f32), naming where it lies
 */
export function magnitudesOf(values: ArrayLike<number>): Float32Array {
  const magnitudes = new Float32Array(values)
  for (let at = 0; at < magnitudes.length; at++) {
    const magnitude = Math.abs(magnitudes[at] ?? 0)
    if (!(magnitude < Infinity)) {
      throw new OptionError(`The weight at ${at} is ${values[at]}`, {
        limit: 'finite weights of f32',
        remedy: 'Look for the step that made it: a magnitude that is no number has no rank among the others',
      })
    }
    magnitudes[at] = magnitude
  }
  return magnitudes
}

/** The `count` largest: all above `threshold`, and the first `ties` of those that equal it. */
export interface Largest {
  readonly threshold: number
  readonly ties: number
}

/**
 * Which of non-negative finite magnitudes are the `count` largest; of equal ones, the first. O(n).
 * @param count from 0 to their number
 */
export function largestOf(magnitudes: Float32Array, count: number): Largest {
  if (count === 0) return { threshold: Infinity, ties: 0 }
  const bits = new Uint32Array(magnitudes.buffer, magnitudes.byteOffset, magnitudes.length)
  const high = new Uint32Array(2 ** 15)
  for (let at = 0; at < bits.length; at++) {
    const bin = (bits[at] ?? 0) >>> 16
    high[bin] = (high[bin] ?? 0) + 1
  }
  const upper = binOf(high, count)
  const low = new Uint32Array(2 ** 16)
  for (let at = 0; at < bits.length; at++) {
    const word = bits[at] ?? 0
    if (word >>> 16 === upper.bin) low[word & 0xffff] = (low[word & 0xffff] ?? 0) + 1
  }
  const lower = binOf(low, upper.within)
  const threshold = new Float32Array(new Uint32Array([upper.bin * 2 ** 16 + lower.bin]).buffer)[0] ?? 0
  return { threshold, ties: lower.within }
}

/** The bin in which the `count`th from the top lies, and how many of that bin belong to the first `count`. */
function binOf(bins: Uint32Array, count: number): { bin: number; within: number } {
  let within = count
  let bin = bins.length - 1
  for (; bin > 0; bin--) {
    const size = bins[bin] ?? 0
    if (size >= within) break
    within -= size
  }
  return { bin, within }
}

/** Σ of the `count` largest. */
export function sumOfLargest(magnitudes: Float32Array, count: number): number {
  const { threshold, ties } = largestOf(magnitudes, count)
  let sum = 0
  for (let at = 0; at < magnitudes.length; at++) {
    const magnitude = magnitudes[at] ?? 0
    if (magnitude > threshold) sum += magnitude
  }
  return ties === 0 ? sum : sum + ties * threshold
}

/**
 * How many of the smallest may be taken so that they add up to `most` at the utmost. O(n): the same sieve, with sums.
 * @returns their number and sum
 */
export function smallestWithin(magnitudes: Float32Array, most: number): { readonly count: number; readonly sum: number } {
  const bits = new Uint32Array(magnitudes.buffer, magnitudes.byteOffset, magnitudes.length)
  const sizes = new Float64Array(2 ** 15)
  const sums = new Float64Array(2 ** 15)
  for (let at = 0; at < bits.length; at++) {
    const bin = (bits[at] ?? 0) >>> 16
    sizes[bin] = (sizes[bin] ?? 0) + 1
    sums[bin] = (sums[bin] ?? 0) + (magnitudes[at] ?? 0)
  }
  let count = 0
  let sum = 0
  let bin = 0
  for (; bin < sizes.length && sum + (sums[bin] ?? 0) <= most; bin++) {
    count += sizes[bin] ?? 0
    sum += sums[bin] ?? 0
  }
  if (bin === sizes.length) return { count, sum }
  const within = magnitudes.filter((_, at) => (bits[at] ?? 0) >>> 16 === bin).sort()
  for (const magnitude of within) {
    if (sum + magnitude > most) break
    sum += magnitude
    count++
  }
  return { count, sum }
}
