/**
 * Shared values (Han, Mao, Dally, "Deep Compression", ICLR 2016, section 3): the few numbers that stand for all of a layer's weights, by
 * k-means in one dimension, begun evenly between the smallest and the largest, which that paper finds to keep large weights best.
 */
import { OptionError } from '../errors.ts'

/** Rounds of k-means at most; it ends earlier where nothing moves. */
const MOST_ROUNDS = 50

/**
 * `count` values, ascending but for a 0 that `zero` puts first, for `values`. Where there are no more distinct ones than that, exactly
 * those; places that are left hold 0.
 * @throws OptionError for NaN and infinities, which have no mean
 */
export function sharedValues(
  values: Float64Array,
  { count, zero }: { readonly count: number; readonly zero: boolean },
): Float64Array {
  const sorted = values.filter((value) => !zero || value !== 0).toSorted()
  const [low = 0, high = 0] = [sorted[0], sorted[sorted.length - 1]]
  if (!Number.isFinite(low) || !Number.isFinite(high)) {
    throw new OptionError('Weights that are NaN or infinite cannot share values', { remedy: 'Keep values as they are' })
  }
  const own = zero ? count - 1 : count
  const distinct = new Set<number>()
  for (let i = 0; i < sorted.length && distinct.size <= own; i++) distinct.add(sorted[i] ?? 0)
  const means = distinct.size <= own ? [...distinct] : kMeans(sorted, own)
  const result = new Float64Array(count)
  result.set(means, zero ? 1 : 0)
  return result
}

/** Lloyd's rounds over sorted values: a cluster is a run between the midpoints of neighbouring means. */
function kMeans(sorted: Float64Array, count: number): number[] {
  const [low = 0, high = 0] = [sorted[0], sorted[sorted.length - 1]]
  let means = Array.from({ length: count }, (_, i) => low + ((high - low) * i) / Math.max(1, count - 1))
  for (let round = 0; round < MOST_ROUNDS; round++) {
    let at = 0
    const moved = means.map((mean, i) => {
      const next = means[i + 1]
      const edge = next === undefined ? Infinity : (mean + next) / 2
      let sum = 0
      const first = at
      for (; at < sorted.length && (sorted[at] ?? 0) <= edge; at++) sum += sorted[at] ?? 0
      return at === first ? mean : sum / (at - first)
    })
    const still = moved.every((mean, i) => mean === means[i])
    means = moved
    if (still) break
  }
  return means
}

/** Which of `codes` is nearest to a value: the first of those. */
export function nearestValue(codes: ArrayLike<number>, value: number): number {
  let best = 0
  for (let code = 1; code < codes.length; code++) {
    if (Math.abs((codes[code] ?? NaN) - value) < Math.abs((codes[best] ?? NaN) - value)) best = code
  }
  return best
}
