/**
 * Which multiplications of a layer have two factors that are not zero, counted without doing them. Think of a channel at a tap as a
 * handshake: every input that the tap visits meets every filter's weight there, so the meetings of non-zeros are a product of two counts,
 *
 *     Σ_g Σ_c Σ_t  |{ positions p : x[g][c][p·U + t·D − pad] ≠ 0 }|  ·  |{ filters m : w[g][m][c][t] ≠ 0 }|
 *
 * The first is counted axis by axis, since a tap's positions along one do not depend on the others:
 *
 *     counts [Z, Y, X] ──▶ [Z, Y, S] ──▶ [Z, R, S] ──▶ [T, R, S]      e.g. row of 5, kernel 3, stride 2, padding 1:
 *                                                                     tap 0 visits 1, 3; tap 1 visits 0, 2, 4; tap 2 visits 1, 3
 *
 * Padding is visited by none. A matrix product is the case of one tap, whose rows are pictures of one element.
 */
import { holdsTwoOfFour } from '../sparsity/two-of-four.ts'
import { HostTensor } from '../tensor/tensor.ts'

/** The inputs that a tap visits along an axis: first, first + step, … */
export interface Visits {
  readonly first: number
  readonly step: number
  readonly count: number
}

/** An axis of a window, as convolutions have it (`WindowAxis`) and transposed ones (`TransposedAxis`). */
export interface VisitedAxis {
  readonly input: number
  readonly kernel: number
  readonly stride: number
  readonly dilation: number
  readonly before: number
  readonly output: number
}

/** Of each tap of a convolution: output p meets input p · stride + tap · dilation − before. */
export function windowVisits({ input, kernel, stride, dilation, before, output }: VisitedAxis): Visits[] {
  return Array.from({ length: kernel }, (_, tap) => {
    const offset = tap * dilation - before
    const { low, count } = within(offset, stride, output, input)
    return { first: low * stride + offset, step: stride, count }
  })
}

/** Of each tap of a transposed convolution: input i meets output i · stride + tap · dilation − before, where there is one. */
export function transposedVisits({ input, kernel, stride, dilation, before, output }: VisitedAxis): Visits[] {
  return Array.from({ length: kernel }, (_, tap) => {
    const { low, count } = within(tap * dilation - before, stride, input, output)
    return { first: low, step: 1, count }
  })
}

/** Of i = 0 … number − 1 those with 0 ≤ i · stride + offset < bound: `count` from `low` on. */
function within(offset: number, stride: number, number: number, bound: number): { low: number; count: number } {
  const low = Math.max(0, Math.ceil(-offset / stride))
  const high = Math.min(number - 1, Math.floor((bound - 1 - offset) / stride))
  return { low, count: Math.max(0, high - low + 1) }
}

/** A layer's factors: how its inputs and weights lie, by group, channel and tap. Taps and strides are of depth, height and width. */
export interface Factors {
  readonly groups: number
  /** Of one group. */
  readonly channels: number
  readonly inputs: {
    /** Zero is zero; quantised ones with their zero point taken off. */
    readonly values: ArrayLike<number>
    /** Pictures of a batch, rows of a matrix. */
    readonly batch: number
    readonly picture: number
    readonly extents: readonly [z: number, y: number, x: number]
    readonly strides: readonly [z: number, y: number, x: number]
    /** Where a channel's first element lies. */
    at(group: number, channel: number): number
    /** By axis and tap. */
    readonly visits: readonly [z: readonly Visits[], y: readonly Visits[], x: readonly Visits[]]
  }
  readonly weights: {
    readonly values: ArrayLike<number>
    /** Of one group. */
    readonly filters: number
    /** From one filter and one channel to the next; taps are neighbours. */
    readonly filter: number
    readonly channel: number
    /** Where a group begins. */
    at(group: number): number
  }
}

/** Taps of a filter. */
export function tapsOf({ inputs: { visits } }: Factors): number {
  return visits.reduce((product, { length }) => product * length, 1)
}

/** Counts by group, channel and tap, [groups · channels · taps]. */
export type Counts = Float64Array

/** Non-zero inputs that each tap of each channel visits, over all positions and pictures. */
export function visitedInputs(factors: Factors): Counts {
  const { groups, channels, inputs } = factors
  const { values, batch, picture, extents, strides, visits } = inputs
  const [depth, height, width] = extents
  const taps = tapsOf(factors)
  const counts = new Float64Array(groups * channels * taps)
  const plane = new Float64Array(depth * height * width)
  for (let group = 0; group < groups; group++) {
    for (let channel = 0; channel < channels; channel++) {
      plane.fill(0)
      const start = inputs.at(group, channel)
      for (let n = 0; n < batch; n++) {
        let to = 0
        for (let z = 0; z < depth; z++) {
          for (let y = 0; y < height; y++) {
            let from = start + n * picture + z * strides[0] + y * strides[1]
            for (let x = 0; x < width; x++, from += strides[2]) {
              if (values[from] !== 0) plane[to] = (plane[to] ?? 0) + 1
              to++
            }
          }
        }
      }
      const rows = contracted(plane, depth * height, width, 1, visits[2])
      const columns = contracted(rows, depth, height, visits[2].length, visits[1])
      counts.set(contracted(columns, 1, depth, visits[1].length * visits[2].length, visits[0]), (group * channels + channel) * taps)
    }
  }
  return counts
}

/** Sums [outer, extent, inner] over what each tap visits: [outer, taps, inner]. */
function contracted(from: Counts, outer: number, extent: number, inner: number, visits: readonly Visits[]): Counts {
  const [only] = visits
  if (visits.length === 1 && extent === 1 && only?.count === 1) return from
  const to = new Float64Array(outer * visits.length * inner)
  for (let o = 0; o < outer; o++) {
    for (const [tap, { first, step, count }] of visits.entries()) {
      const into = (o * visits.length + tap) * inner
      for (let k = 0; k < count; k++) {
        const at = (o * extent + first + k * step) * inner
        for (let i = 0; i < inner; i++) to[into + i] = (to[into + i] ?? 0) + (from[at + i] ?? 0)
      }
    }
  }
  return to
}

/** Filters whose weight is not zero, at each tap of each channel. */
export function nonzeroWeights(factors: Factors): Counts {
  const { groups, channels, weights } = factors
  const { values, filters, filter, channel } = weights
  const taps = tapsOf(factors)
  const counts = new Float64Array(groups * channels * taps)
  // What lies nearest is walked innermost.
  const [outer, inner] = filter < channel ? [channels, filters] : [filters, channels]
  for (let group = 0; group < groups; group++) {
    const start = weights.at(group)
    for (let i = 0; i < outer; i++) {
      for (let j = 0; j < inner; j++) {
        const [c, m] = filter < channel ? [i, j] : [j, i]
        const from = start + m * filter + c * channel
        const to = (group * channels + c) * taps
        for (let tap = 0; tap < taps; tap++) if (values[from + tap] !== 0) counts[to + tap] = (counts[to + tap] ?? 0) + 1
      }
    }
  }
  return counts
}

/** Σ a · b. */
export function paired(a: Counts, b: Counts): number {
  return a.reduce((sum, count, at) => sum + count * (b[at] ?? 0), 0)
}

export function sumOf(counts: Counts): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

/**
 * Whether the weights hold 2:4 along their channels, as the matrix [filters · taps, channels] that pruning sees. What has two channels
 * at most always does.
 * @param nonzero how many of them are not zero
 */
export function weightsHoldTwoOfFour(factors: Factors, nonzero: number): boolean {
  const { groups, channels, weights } = factors
  const taps = tapsOf(factors)
  const lines = groups * weights.filters * taps
  // Most networks end here, and need no copy.
  if (nonzero > lines * (2 * Math.floor(channels / 4) + Math.min(2, channels % 4))) return false
  const kept = new Int8Array(lines * channels)
  for (let group = 0; group < groups; group++) {
    for (let m = 0; m < weights.filters; m++) {
      const start = weights.at(group) + m * weights.filter
      for (let tap = 0; tap < taps; tap++) {
        const to = ((group * weights.filters + m) * taps + tap) * channels
        for (let c = 0; c < channels; c++) kept[to + c] = weights.values[start + c * weights.channel + tap] === 0 ? 0 : 1
      }
    }
  }
  return holdsTwoOfFour(new HostTensor('i8', [lines, channels], kept))
}
