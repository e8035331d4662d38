/** What a convolution loses whose matrix product is forced to Strassen's kernel (src/ops/gemm/strassen.ts). */
import { forcedLevels, strassenError } from '../gemm/strassen.ts'
import type { Spread } from './algorithm.ts'
import { tapsOf, type Convolution } from './convolution.ts'

/**
 * Its bound E · max|X| · max|W|, over the K terms that tolerance.ts counts: blocks mix all positions, channels and filters. Undefined for
 * other kernels, which only multiply and add.
 * @param kernel of the product, as a configuration names it
 */
export function strassenSpread(conv: Convolution, kernel: Parameters<typeof forcedLevels>[0]): Spread | undefined {
  const levels = forcedLevels(kernel)
  const depth = conv.channels * tapsOf(conv)
  if (levels === undefined || depth === 0) return undefined
  return { error: strassenError(depth, levels) / depth, reach: [Infinity, Infinity, Infinity], everywhere: true }
}
