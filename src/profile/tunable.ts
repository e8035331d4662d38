/**
 * What the autotuner tunes: a problem with several ways to compute it, all to be held against one exact result. Think of a race that is
 * run the same way whatever runs in it; matrix products (tunable-product.ts) and convolutions (tunable-convolution.ts) enter it.
 */
import type { DeviceFacts, OpPlan } from '../gpu/program.ts'
import type { TunedKernel } from '../gpu/tuning.ts'
import type { Estimate, Rates } from '../ops/gemm/estimate.ts'
import type { DType } from '../tensor/dtype.ts'
import type { HostTensor, TensorType } from '../tensor/tensor.ts'

export interface ProblemSizes {
  /** For people, in the order in which the command takes them: `128×4096×11008 f16`. */
  readonly text: string
  readonly dtype: DType
  /** Arithmetic operations of the definition: a MAC is 2. 0: there is nothing to tune. */
  readonly flops: number
}

/** A configuration in full, and why it is chosen, or refused. */
export interface Chosen {
  readonly config: TunedKernel
  readonly reason: string
}

export interface Contenders {
  /** Worth measuring besides what is chosen. */
  readonly others: readonly TunedKernel[]
  /** What the problem itself refuses (a bound on the error), with why. */
  readonly refused: readonly Chosen[]
}

/** Operands on which a result is known, and what holds a result against it. */
export interface Exam {
  /** By input of the op, as plans bind them. */
  readonly operands: readonly (HostTensor | null)[]
  check(result: HostTensor, config: TunedKernel): Checked
}

export interface Checked {
  /** Elements that were compared one by one, and rows that were compared as sums. Never both 0. */
  readonly elements: number
  readonly rows: number
  /** What is wrong first, or undefined where all is right. */
  readonly fault?: string
}

export interface Tunable {
  readonly op: string
  /** `productKey` or `convolutionKey`: problems of one key are one. */
  readonly key: string
  readonly sizes: ProblemSizes
  /** By input of the op, null where there is none. */
  readonly inputs: readonly (TensorType | null)[]
  readonly output: TensorType
  /** Host values that the exam keeps besides inputs and output, each 4 bytes. */
  readonly examValues: number
  chosen(device: DeviceFacts): Chosen
  contenders(device: DeviceFacts): Contenders
  plan(config: TunedKernel, device: DeviceFacts): OpPlan
  estimate(config: TunedKernel, device: DeviceFacts, rates: Rates): Estimate
  /** A configuration without what is its kernel's default, for people: `broadcast rows 8, strips 2`. */
  configText(config: TunedKernel): string
  exam(): Exam
}
