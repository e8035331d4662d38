/**
 * What an algorithm of convolution is: the same interface as a kernel family of the matrix product (src/ops/gemm/family.ts), for
 * everything that turns a `Convolution` into dispatches. Which algorithms there are is said once, in algorithms.ts.
 */
import type { z } from 'zod'
import type { DeviceFacts, OpPlan } from '../../gpu/program.ts'
import type { Convolution } from './convolution.ts'

/** An algorithm's name and its constants, as JSON: what the tuner keeps, what a caller forces, what a report prints. */
export interface AlgorithmConfig {
  readonly algorithm: string
}

/** What an algorithm does, in closed form. */
export interface Work {
  /** Multiplications of values (a transform's small integer factors are no multiplications; their adds count as `additions`). */
  readonly multiplications: number
  readonly additions: number
  /** Bytes to and from device memory over all dispatches of a run, if every word of a dispatch moved once. Preparation not included. */
  readonly bytes: number
}

export interface Algorithm<C extends AlgorithmConfig = AlgorithmConfig> {
  /** `algorithm` of its configurations, file name under algorithms/. */
  readonly name: string
  /** Parses a configuration, with defaults. */
  readonly schema: z.ZodType<C>
  /** Why it cannot run this convolution with this configuration on this device: the limit and the figure. Undefined: it can. */
  refusal(conv: Convolution, config: C, device: DeviceFacts): string | undefined
  /** Configurations worth measuring, all legal, the best by rule first. Empty: the algorithm does not fit. */
  candidates(conv: Convolution, device: DeviceFacts): readonly C[]
  /** The dispatches. The output is not empty; `config` is legal. */
  plan(conv: Convolution, config: C, device: DeviceFacts): OpPlan
  work(conv: Convolution, config: C): Work
  /**
   * Bound on its rounding error beyond that of summing in any order, relative to Σ|w||x| over the patch that it works on at once, with
   * the dtype that intermediate values are stored in: 0 for algorithms that only multiply and add what the definition does.
   */
  error(conv: Convolution, config: C): number
}
