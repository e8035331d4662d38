/** The profile report: the JSON that `profile` writes, that the HTML report draws, and that the demo shows. */
import type { Evaluation, Issued } from '../cost/evaluation.ts'
import type { Mapping } from '../schedule/mapping.ts'
import type { Problem } from '../schedule/problem.ts'
import type { Layout } from '../ops/layout.ts'
import { constantsText } from './constants.ts'

export const REPORT_SCHEMA = 'tilewright.profile/1'

export interface AdapterDescription {
  readonly vendor: string
  readonly architecture: string
  readonly device: string
  readonly description: string
  readonly software: boolean
  readonly features: readonly string[]
  /** Dawn toggles that make a figure unlike a page's (`disable_robustness`, ...). */
  readonly toggles: readonly string[]
}

/** How times were taken. */
export interface Clock {
  readonly source: 'timestamp-query' | 'wall'
  /** Smallest step of the clock, nanoseconds. */
  readonly quantum_ns: number
}

export interface ProfileReport {
  readonly schema: typeof REPORT_SCHEMA
  readonly model: string
  readonly date: string
  readonly adapter: AdapterDescription
  readonly hardware: string
  readonly precision: 'f32' | 'f16' | 'int8'
  readonly batch: number
  readonly clock: Clock
  /** Samples behind each time at most (the median is reported), after `warmups`; a row's own are its `samples_ms`. */
  readonly samples: number
  readonly warmups: number
  /** False when the run was stopped early: rows not reached are absent. */
  readonly complete: boolean
  /** What this device reaches at best: the roof that rows lie under. Absent in reports of before, and where it was stopped. */
  readonly peaks?: PeaksReport
  readonly layers: readonly LayerReport[]
}

/** Measured peaks of a device (src/profile/peak.ts). */
export interface PeaksReport {
  /** Operations a second (a multiply-add is 2), outside of matrix units. */
  readonly flops: { readonly f32: number; readonly f16?: number }
  /** Bytes a second, read and written together. */
  readonly bytes_per_s: number
  /** What starting a dispatch is taken to cost. */
  readonly launch_ms: number
  /** The shapes of the kernels that reached these. */
  readonly shapes: { readonly f32: string; readonly f16?: string; readonly copy: string }
}

/** A row under the roof: min(peak, intensity · bandwidth). */
export interface RooflineReport {
  readonly operations: number
  /** Every word of the operands once. */
  readonly bytes: number
  /** Operations per byte. */
  readonly intensity: number
  readonly attainable_gflops: number
  /**
   * Of the attainable rate, what was reached; above 1 where matrix units or caches beat the peaks measured without them, or an algorithm
   * multiplies less than the definition.
   */
  readonly share: number
  /** Sums of bytes: held under the bandwidth alone. */
  readonly peak?: 'none'
  /** What the roof is made of there; `launch`: starting the dispatches takes longer than the work would. */
  readonly bound: 'memory' | 'compute' | 'launch'
}

/** Elements by operand that a kernel's accessors load and store, over all its dispatches. */
export type KernelAccesses = Readonly<Record<string, { readonly loads: number; readonly stores: number }>>

/** What a convolution's algorithm does beside what the definition would. */
export interface ConvolutionReport {
  /** How X and Y lie, as in the model. */
  readonly layout: Layout
  readonly outputLayout: Layout
  /** Of values, over all dispatches but those that prepare weights. */
  readonly multiplications: number
  readonly additions: number
  /** Of the definition, zero padding included. */
  readonly macs: number
  /** The largest error, and its bound, both relative to the magnitude of the patch that an output is computed from. */
  readonly error: { readonly measured: number; readonly bound: number }
}

/** A default kernel of a matrix product, or algorithm of a convolution: which one, and what was expected of it. */
export interface KernelReport {
  readonly name: string
  /** Its constants, and its name as `kernel` or `algorithm`: what the attribute of that name of an op takes. */
  readonly config: Readonly<Record<string, unknown>>
  /** The loop nest: of a product the one that the row's `mapping` tiles, rows, columns and depth being P, M and C. */
  readonly problem: Problem
  /** Expected before the run, from the device's peaks, and what the most of it goes to. */
  readonly predicted_ms: number
  readonly predicted_bound: string
  /** Absent where an algorithm does not predict them. */
  readonly accesses?: {
    readonly predicted: KernelAccesses
    readonly counted: KernelAccesses
  }
  readonly convolution?: ConvolutionReport
}

export interface MeasuredZeros {
  /** Part of the values that is zero. */
  readonly part: number
  /** Compressed over plain size: 5-bit runs and 16-bit values, three pairs in 64 bits (see `cost/compression.ts`). */
  readonly ratio: number
}

export interface LayerReport {
  readonly name: string
  readonly problem: Problem
  readonly macs: number
  /**
   * Measured in the activations that reached the layer: the part that is zero, and run-length compressed over plain size; how many of the MACs
   * have two factors that are not zero (absent in reports of before, and of ops that nonzero-factors.ts does not know).
   */
  readonly zeros?: { readonly inputs: MeasuredZeros; readonly nonzero_macs?: number }
  readonly dataflows: Readonly<Record<string, DataflowReport>>
}

/** One layer under one dataflow. `skipped` says why a row has no figures. */
export interface DataflowReport {
  readonly skipped?: string
  readonly mapping?: Mapping
  readonly predicted?: Evaluation
  readonly counted?: Issued
  /** counted equals predicted.issued, or counted accesses of `kernel` its predicted ones, figure by figure. */
  readonly counted_equal?: boolean
  /** Median milliseconds of the fast build. */
  readonly time_ms?: number
  readonly samples_ms?: readonly number[]
  readonly gflops?: number
  readonly verified?: boolean
  /** Largest |error|, and the largest |error| / bound (verified when at most 1). */
  readonly max_error?: number
  readonly max_error_ratio?: number
  /** What was shrunk to fit a workgroup, and the kernel's reason. */
  readonly notes?: readonly string[]
  /** Of every row with a time, where peaks were measured. */
  readonly roofline?: RooflineReport
  /** Of a row that ran a quantised product's default kernel: from the device's peaks, every operand moved once. */
  readonly expected_ms?: number
  /** Of a row that ran a product's or convolution's default kernel. */
  readonly kernel?: KernelReport
  /** Of a row that ran on a systolic array: no loop nest says its skew, so it has no `mapping`. */
  readonly systolic?: {
    readonly array: { readonly rows: number; readonly columns: number }
    readonly folds: number
    readonly fold_steps: number
    readonly predicted: SystolicSteps
    readonly counted: SystolicSteps
  }
}

/** Beats of the array, words that entered at its edges (zero padding included), and words that left it. */
export interface SystolicSteps {
  readonly steps: number
  readonly injections: { readonly weights: number; readonly inputs: number }
  readonly ejections: number
}

/** A kernel and its constants in one line: `tiled rows 64, columns 32`; of a convolution how it lies: `winograd tile 2 in nchw>nhwc`. */
export function configText({ name, config, convolution }: KernelReport): string {
  const own = 'algorithm' in config ? 'algorithm' : 'kernel'
  const text = constantsText(name, Object.fromEntries(Object.entries(config).filter(([key]) => key !== own)))
  if (convolution === undefined) return text
  const { layout, outputLayout } = convolution
  return `${text} in ${layout === outputLayout ? layout : `${layout}>${outputLayout}`}`
}
