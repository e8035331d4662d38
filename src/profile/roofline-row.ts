/**
 * Where a row of a profile lies under the roof of this device: the rate that its arithmetic intensity allows, and how much of it was
 * reached. Think of it as the answer to "could this be faster, and what would have to be faster for it?".
 *
 * Intensity counts every word of the operands once, whatever a kernel fetches again: the roof is that of the problem, not of the kernel,
 * so that all rows of a layer lie under the same roof, and none above it but for caches that outlive a run.
 */
import { compulsoryWork, roofline } from '../cost/roofline.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { ratesFor } from '../ops/gemm/estimate.ts'
import { byteSize } from '../tensor/dtype.ts'
import type { Layer } from './layers.ts'
import { measurePeaks } from './peak.ts'
import type { PeaksReport, RooflineReport } from './report.ts'

/** What a row did, at least. */
export interface Work {
  /** Arithmetic operations; a MAC is 2. */
  readonly operations: number
  /** Every word of the operands once. */
  readonly bytes: number
  readonly dispatches: number
  /** What sums are kept in: whose peak is the roof (default f32). Of i32, sums of bytes, no peak was measured: traffic alone binds. */
  readonly accumulate?: 'f32' | 'f16' | 'i32'
}

/** The device's measured peaks, and what starting a dispatch costs. Measured once for each Gpu. @throws the signal's reason */
export async function peaksOf(gpu: Gpu, signal?: AbortSignal): Promise<PeaksReport> {
  const { flops, bytes_per_s, shapes } = await measurePeaks(gpu, signal === undefined ? {} : { signal })
  return { flops, bytes_per_s, launch_ms: ratesFor(gpu.facts).launch * 1000, shapes }
}

/** Of a layer as a convolution, whatever op it was. */
export function layerWork({ problem, x }: Layer): Work {
  return { ...compulsoryWork(problem, byteSize(x.dtype)), dispatches: 1 }
}

/** Operations a second. */
export function peakOf({ flops }: PeaksReport, accumulate: Work['accumulate'] = 'f32'): number {
  return accumulate === 'i32' ? Infinity : (flops[accumulate] ?? flops.f32)
}

/** A row's position: `time_ms` is the measured one. */
export function rooflineOf(
  { operations, bytes, dispatches, accumulate = 'f32' }: Work,
  time_ms: number,
  peaks: PeaksReport,
): RooflineReport {
  const peak = peakOf(peaks, accumulate)
  const { intensity, attainable, bound } = roofline({ operations, bytes }, { peak, bandwidth: peaks.bytes_per_s })
  const least_ms = Math.max(operations / peak, bytes / peaks.bytes_per_s) * 1000
  return {
    operations,
    bytes,
    intensity,
    attainable_gflops: attainable / 1e9,
    share: least_ms / time_ms,
    ...(accumulate === 'i32' ? { peak: 'none' as const } : {}),
    bound: least_ms < dispatches * peaks.launch_ms ? 'launch' : bound,
  }
}
