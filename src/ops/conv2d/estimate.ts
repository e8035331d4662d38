/**
 * How long a convolution takes under an algorithm, before it runs: the same bill as a product's (src/ops/gemm/estimate.ts), made out
 * from what the algorithm says that it does (`work`): multiplications and additions, bytes, and accesses where it counts them. An
 * algorithm that is a product says better. Pure. It ranks candidates; a measured time is never mixed with it.
 */
import type { DeviceFacts } from '../../gpu/program.ts'
import { issueOf, ratesFor, summed, type Estimate, type Rates } from '../gemm/estimate.ts'
import type { AlgorithmConfig } from './algorithm.ts'
import { algorithmNamed } from './algorithms.ts'
import type { Convolution } from './convolution.ts'

/**
 * @param conv its output is not empty
 * @param config legal for it on this device
 * @throws OptionError where there is no such algorithm
 */
export function estimateConvolution(
  conv: Convolution,
  config: AlgorithmConfig,
  device: DeviceFacts,
  rates: Rates = ratesFor(device),
): Estimate {
  const algorithm = algorithmNamed(config.algorithm, conv.op)
  const own = algorithm.estimate?.(conv, config, device, rates)
  if (own !== undefined) return own
  const plan = algorithm.plan(conv, config, device)
  const { multiplications, additions, bytes } = algorithm.work(conv, config, device)
  const counts = algorithm.accesses?.(conv, config, device)
  const parts = {
    arithmetic: (multiplications + additions) / rates.flops[conv.accumulate],
    memory: bytes / rates.bytes,
    cache: 0,
    workgroup: 0,
    issue: counts === undefined ? 0 : issueOf(counts, plan, rates),
  }
  return summed(parts, plan, rates)
}
