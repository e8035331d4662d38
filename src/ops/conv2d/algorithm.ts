/**
 * What an algorithm of convolution is: the same interface as a kernel family of the matrix product (src/ops/gemm/family.ts), for
 * everything that turns a `Convolution` into dispatches. Which algorithms there are is said once, in algorithms.ts.
 */
import type { z } from 'zod'
import type { DeviceFacts, OpPlan } from '../../gpu/program.ts'
import type { Estimate, Rates } from '../gemm/estimate.ts'
import type { Accesses } from '../gemm/family.ts'
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

/** How the rounding of an algorithm that works in a transformed domain shows in its results: see tolerance.ts. */
export interface Spread {
  /** E of |error| ≤ E · M, M the magnitude that tolerance.ts defines, summing included. */
  readonly error: number
  /** Outputs before and behind one, along depth, height and width, that may share its patch; infinite: all of the axis. */
  readonly reach: readonly [z: number, y: number, x: number]
  /** The least that the largest |x| of a patch, and |w| of a filter, count as: below, values between dispatches lose digits. Default 0. */
  readonly least?: number
  /** Whether M is the same for all outputs: of the largest |x| and |w| that there are, whatever their picture and filter. Default false. */
  readonly everywhere?: boolean
}

/** One that covers both. */
export function widest(a: Spread, b: Spread): Spread {
  return {
    error: Math.max(a.error, b.error),
    reach: [Math.max(a.reach[0], b.reach[0]), Math.max(a.reach[1], b.reach[1]), Math.max(a.reach[2], b.reach[2])],
    least: Math.max(a.least ?? 0, b.least ?? 0),
    everywhere: a.everywhere === true || b.everywhere === true,
  }
}

/**
 * The most that `error` may be where the caller says nothing: Winograd F(4×4,3×3) with thousands of channels in f32 is within, with
 * f16 values between its dispatches it is not.
 */
export const DEFAULT_MAX_ERROR = 2 ** -6

export interface Algorithm<C extends AlgorithmConfig = AlgorithmConfig> {
  /** `algorithm` of its configurations, file name under algorithms/. */
  readonly name: string
  /** Parses a configuration, with defaults. */
  readonly schema: z.ZodType<C>
  /** Whether Y may lie in another layout than X (`Convolution.outputLayout`). Default false: it is refused there. */
  readonly mixes?: boolean
  /** Whether Y may be some channels of a larger map (`outputPlace` of convolution.ts). Default false: it is refused there. */
  readonly places?: boolean
  /** Whether it runs filters that hold 2:4 as such. Default false: it is refused there. */
  readonly sparse?: boolean
  /** Why it cannot run this convolution with this configuration on this device: the limit and the figure. Undefined: it can. */
  refusal(conv: Convolution, config: C, device: DeviceFacts): string | undefined
  /** Configurations worth measuring, all legal, the best by rule first. Empty: the algorithm does not fit. */
  candidates(conv: Convolution, device: DeviceFacts): readonly C[]
  /** The dispatches. The output is not empty; `config` is legal. */
  plan(conv: Convolution, config: C, device: DeviceFacts): OpPlan
  /** @param device where what is skipped depends on the kernel that it gets there; absent: nothing is skipped */
  work(conv: Convolution, config: C, device?: DeviceFacts): Work
  /**
   * Bound on its rounding error with the dtype that intermediate values are stored in, relative to the magnitude of its patch
   * (tolerance.ts): 0 for algorithms that only multiply and add what the definition does.
   */
  error(conv: Convolution, config: C): number
  /**
   * For algorithms whose `error` is not 0. Without a configuration: what covers all that may be chosen within the convolution's
   * `maxError`, on any device. Undefined where there is none.
   */
  spread?(conv: Convolution, config?: C): Spread | undefined
  /**
   * Elements by operand that its dispatches load and store, preparation not included, in closed form: what the counted build counts.
   * Absent where it does not say.
   */
  accesses?(conv: Convolution, config: C, device: DeviceFacts): Accesses
  /** How long it takes, where it knows better than `work` says (estimate.ts). */
  estimate?(conv: Convolution, config: C, device: DeviceFacts, rates: Rates): Estimate
}
