/** What `sparsity: '2:4'` means, on the CPU: weights of which the two largest of every four are kept, and results that zeros do not reach. */
import { pruneMask } from '../../sparsity/mask.ts'
import type { Shape } from '../../tensor/shape.ts'
import type { ReferenceOutput } from '../op.ts'

const LARGEST = 3.402823e38

/** Weights [M, C, …taps] with zeros for what 2:4 along C does not keep. Those that hold the pattern are as they were. NaN goes first. */
export function keptWeights(values: Float32Array, shape: Shape): Float32Array {
  const magnitudes = values.map((value) => (Number.isFinite(value) ? Math.abs(value) : LARGEST))
  const mask = pruneMask({ values: magnitudes, shape }, { kind: '2:4', share: 1 })
  return values.map((value, at) => (mask[at] === 0 ? 0 : value))
}

/**
 * Where the dense product is not finite, any result is right: an infinity times a zero is NaN to a kernel that multiplies by zeros, and
 * nothing to one that skips them. Bounds there become infinite. Whether there are any.
 */
export function anyNonFinite(sums: Float64Array, bounds: Float64Array): boolean {
  let found = false
  for (let at = 0; at < sums.length; at++) {
    if (Number.isFinite(sums[at]) && Number.isFinite(bounds[at])) continue
    bounds[at] = Infinity
    found = true
  }
  return found
}

/** A result whose non-finite values are held to nothing: see `anyNonFinite`. */
export function withoutZeros(made: ReferenceOutput): ReferenceOutput {
  const { exact, tolerance } = made
  if (exact === undefined || tolerance.kind !== 'bound' || !anyNonFinite(exact, tolerance.bound)) return made
  return { ...made, tolerance: { ...tolerance, spreads: true } }
}
