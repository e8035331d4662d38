/**
 * How far the result of an algorithm that works in a transformed domain (Winograd, FFT) may lie from the reference. Such an algorithm
 * errs in proportion to everything that its patch holds, not only to what lies under one window, so that the γ_K · Σ|w||x| of the
 * reference does not cover it. What does: its relative error E times the magnitude
 *
 *     M[n][m][output] = taps · Σ_c max_taps |w[m][c]| · max_patch |x[n][c]|
 *
 *                 patch of a tile
 *               +---------------------+        an output shares its patch with outputs up to `reach` before and behind it, whichever
 *               |   +-------+         |        tile it is of: the maximum is taken over their windows
 *      reach <- |   |window |         | -> reach
 *
 * or, for an algorithm that mixes all there is (`everywhere`), M = K · max|w| · max|x| for every output.
 *
 * An algorithm states E and reach by its member `spread` (algorithm.ts), from a bound of the form |ŷ − y| ≤ E · M; the reference adds
 * `transformTolerance` of it to its own bound.
 */
import type { DeviceFacts } from '../../gpu/program.ts'
import { product } from '../gemm/reference-product.ts'
import type { WindowAxis } from '../window.ts'
import { DEFAULT_MAX_ERROR, widest, type AlgorithmConfig, type Spread } from './algorithm.ts'
import { algorithmNamed } from './algorithms.ts'
import { byRule } from './choose.ts'
import { pixelsOf, tapsOf, type Convolution } from './convolution.ts'

/** Sizes of the convolution that a magnitude is asked of. */
type Sizes = Pick<Convolution, 'batch' | 'groups' | 'channels' | 'filters' | 'axes'>

/** Where nothing is known of the device: one that lacks for nothing, in software and not. */
const AMPLE = 2 ** 40
const DEVICES = [true, false].map((software): DeviceFacts => ({
  adapter: 'any',
  features: new Set(['shader-f16']),
  language: new Set(),
  limits: {
    maxBufferSize: AMPLE,
    maxStorageBufferBindingSize: AMPLE,
    maxStorageBuffersPerShaderStage: AMPLE,
    maxComputeWorkgroupStorageSize: AMPLE,
    maxComputeInvocationsPerWorkgroup: AMPLE,
    maxComputeWorkgroupsPerDimension: AMPLE,
  },
  software,
}))

/**
 * What the reference must allow for: the spread of the algorithm that a caller forces; of a name alone, the largest of what it may stand
 * for; where none is forced, of what the rule takes, in software or on a GPU (who knows the device, or has a measured choice, names it: see
 * `referenceOn` of ../settled.ts). Undefined where that only multiplies and adds what the definition does.
 * @throws OptionError for an algorithm that there is not
 */
export function spreadOf(conv: Convolution, algorithm?: string | AlgorithmConfig): Spread | undefined {
  if (typeof algorithm === 'object') {
    const found = algorithmNamed(algorithm.algorithm, conv.op)
    const parsed = found.schema.safeParse(algorithm)
    return parsed.success ? found.spread?.(conv, parsed.data) : undefined
  }
  if (algorithm !== undefined) {
    const may = algorithmNamed(algorithm, conv.op).spread?.(conv) ?? spreadOf(conv, { algorithm })
    return may !== undefined && may.error <= (conv.maxError ?? DEFAULT_MAX_ERROR) ? may : undefined
  }
  const spreads = DEVICES.flatMap((device) => spreadOf(conv, byRule(conv, device).config) ?? [])
  return spreads.length === 0 ? undefined : spreads.reduce(widest)
}

/**
 * E · M for each output, [N, M, depth, height, width]; infinite where the patch holds a NaN or an infinity, which a transform spreads.
 * @param x values [N, C, depth, height, width], without padding
 * @param w values [M, C/groups, taps]
 */
export function transformTolerance(
  x: Float32Array,
  w: Float32Array,
  sizes: Sizes,
  { error, reach, least = 0, everywhere = false }: Spread,
): Float64Array {
  const { batch, groups, channels, filters } = sizes
  const taps = tapsOf(sizes)
  const pixels = pixelsOf(sizes)
  if (everywhere) {
    const bound = error * taps * channels * largest(x) * largest(w)
    return new Float64Array(batch * groups * filters * pixels).fill(Number.isNaN(bound) ? Infinity : bound)
  }
  const weights = new Float32Array(groups * filters * channels)
  for (let row = 0; row < weights.length; row++) {
    weights[row] = Math.max(least, largest(w.subarray(row * taps, (row + 1) * taps)))
  }
  const maxima = patchMaxima(x, sizes, reach)
  const result = new Float64Array(batch * groups * filters * pixels)
  // Channels innermost, as products want them.
  const lines = new Float32Array(pixels * channels)
  for (let block = 0; block < batch * groups; block++) {
    for (let c = 0; c < channels; c++) {
      const plane = (block * channels + c) * pixels
      for (let pixel = 0; pixel < pixels; pixel++) lines[pixel * channels + c] = Math.max(least, maxima[plane + pixel]!)
    }
    const place = { offset: block * filters * pixels, row: pixels, column: 1 }
    const left = { values: weights, offset: (block % groups) * filters * channels, rows: filters }
    // No term is negative: the sums of magnitudes are the sums.
    product(left, { values: lines, offset: 0, rows: pixels }, channels, { sum: result, magnitude: result }, place)
  }
  for (let at = 0; at < result.length; at++) {
    const bound = error * taps * result[at]!
    // 0 · ∞ of a filter of zeros is NaN there as well.
    result[at] = Number.isNaN(bound) ? Infinity : bound
  }
  return result
}

/** The largest |x| under the windows of an output and of those within reach, [N, C, outputs]. */
function patchMaxima(x: Float32Array, { batch, groups, channels, axes }: Sizes, reach: Spread['reach']): Float32Array {
  let values: Float32Array = x.map((value) => (Number.isFinite(value) ? Math.abs(value) : Infinity))
  let outer = batch * groups * channels
  for (const [index, axis] of axes.entries()) {
    const inner = axes.slice(index + 1).reduce((count, { input }) => count * input, 1)
    values = axisMaxima(values, outer, inner, axis, reach[index] ?? 0)
    outer *= axis.output
  }
  return values
}

/** Maxima along one axis of [outer, axis.input, inner]. */
function axisMaxima(values: Float32Array, outer: number, inner: number, axis: WindowAxis, reach: number): Float32Array {
  const { input, kernel, stride, dilation, before, output } = axis
  const result = new Float32Array(outer * output * inner)
  let span: readonly [number, number] = [0, 0]
  for (let p = 0; p < output; p++) {
    const start = Math.max(0, Math.max(0, p - reach) * stride - before)
    const end = Math.min(input, Math.min(output - 1, p + reach) * stride - before + dilation * (kernel - 1) + 1)
    const same = p > 0 && span[0] === start && span[1] === end
    span = [start, end]
    for (let o = 0; o < outer; o++) {
      const to = (o * output + p) * inner
      if (same) {
        result.copyWithin(to, to - inner, to)
        continue
      }
      for (let at = start; at < end; at++) {
        const from = (o * input + at) * inner
        for (let i = 0; i < inner; i++) result[to + i] = Math.max(result[to + i]!, values[from + i]!)
      }
    }
  }
  return result
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : Infinity), 0)
}
