/** In which order a tournament tries kernels: by their estimates, as far as these can be compared. */
import type { TunedKernel } from '../gpu/tuning.ts'
import { byEstimate, type Estimate, type Ranked } from '../ops/gemm/estimate.ts'

/** Kernels in the order of their estimates, and those that cannot be estimated: a fault in one of them is its own. */
export function rankedBy(
  configs: readonly TunedKernel[],
  estimateOf: (config: TunedKernel) => Estimate,
): { ranked: Ranked<TunedKernel>[]; failed: { config: TunedKernel; reason: string }[] } {
  const failed: { config: TunedKernel; reason: string }[] = []
  const estimated = configs.flatMap((config): Ranked<TunedKernel>[] => {
    try {
      return [{ config, estimate: estimateOf(config) }]
    } catch (error) {
      failed.push({ config, reason: reasonOf(error) })
      return []
    }
  })
  return { ranked: inTurns(estimated.toSorted(byEstimate)), failed }
}

/**
 * Algorithms of convolutions in turns, the best of each first: what one says of its work is not what another says, so that estimates
 * rank within an algorithm better than between two. Kernels of products, which are all priced alike, stay in order.
 */
export function inTurns(ranked: readonly Ranked<TunedKernel>[]): Ranked<TunedKernel>[] {
  const places = new Map<string, number>()
  const placed = ranked.map((one) => {
    if (!('algorithm' in one.config)) return { one, place: 0 }
    const { algorithm } = one.config
    const place = places.get(algorithm) ?? 0
    places.set(algorithm, place + 1)
    return { one, place }
  })
  return placed.toSorted((a, b) => a.place - b.place).map(({ one }) => one)
}

/** An error as a report gives it. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
