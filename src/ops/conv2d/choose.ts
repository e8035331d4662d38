/**
 * Which algorithm a convolution gets: forced by the caller, or by rule. Pure: from a convolution and facts to a configuration and its
 * reason.
 */
import type { DeviceFacts, OpPlan } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { AlgorithmConfig } from './algorithm.ts'
import { algorithmNamed, forced, refusalOf } from './algorithms.ts'
import type { Convolution } from './convolution.ts'

export interface Choice {
  readonly config: AlgorithmConfig
  readonly reason: string
}

/** The plan of a convolution; no dispatches where Y is empty. @throws OptionError where a forced algorithm is not legal */
export function planConvolution(conv: Convolution, device: DeviceFacts, algorithm?: string | AlgorithmConfig): OpPlan {
  const choice = algorithm === undefined ? byRule(conv, device) : { config: forced(conv, algorithm, device), reason: 'forced' }
  if (sizeOf(conv.output.shape) === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const plan = algorithmNamed(choice.config.algorithm, conv.op).plan(conv, choice.config, device)
  return { ...plan, reason: `${choice.reason}: ${plan.reason}` }
}

/** Up to as many filters per group, a tile of a matrix product would be mostly empty. */
const FEW_FILTERS = 4

/**
 * The rule where nothing was measured:
 *
 *     groups of at most 4 filters     direct            a tile of filters would be mostly empty
 *     else                            implicit-gemm     legal for all
 */
export function byRule(conv: Convolution, device: DeviceFacts): Choice {
  for (const { config, when } of [{ config: { algorithm: 'direct' }, when: conv.groups > 1 && conv.filters <= FEW_FILTERS }]) {
    if (when && refusalOf(conv, config, device) === undefined) return { config, reason: 'by rule' }
  }
  return { config: { algorithm: 'implicit-gemm' }, reason: 'by rule' }
}
