/**
 * Transposed convolution on the CPU in f64: for every output of an axis, the pairs of value and tap that meet there are found by trying
 * all taps; outputs with the same taps along all axes (those a stride apart) are one product of filters and patches. A tap that meets no
 * value of X meets a zero, as in conv2d: an infinite weight there gives NaN.
 * Bound: K = C·taps products, the bias and the residual as terms more, through the activation's slope.
 */
import { requireInput } from '../checks.ts'
import { INPUT } from '../conv2d/convolution.ts'
import { moveLayout } from '../conv2d/layouts.ts'
import { finishSums, type ConvSums } from '../conv2d/reference-finish.ts'
import { product } from '../gemm/reference-product.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { placedReference } from '../place.ts'
import { floatsOf } from '../values.ts'
import type { TransposedAxis } from './phases.ts'
import { transposedSizes, type ConvTransposeAttributes, type TransposedSizes } from './rule.ts'

export function reference(inputs: InputValues, attributes: ConvTransposeAttributes): ReferenceOutput[] {
  const x = requireInput('convTranspose2d', inputs, INPUT.x, 'X')
  const w = requireInput('convTranspose2d', inputs, INPUT.w, 'W')
  const sizes = transposedSizes(inputs, attributes)
  const sums = convolved(floatsOf(x), floatsOf(w), sizes)
  const own = finishSums(sums, inputs, attributes, sizes)
  return [placedReference(own, sizes.groups * sizes.filters, sizes.outputLayout, attributes.place)]
}

/** Which outputs of an axis meet the same taps: the first of them, how far apart they are, and the taps. */
interface Meeting {
  readonly first: number
  readonly taps: readonly number[]
}

function meetingsOf({ kernel, stride, dilation, before, output }: TransposedAxis): Meeting[] {
  return Array.from({ length: Math.min(stride, output) }, (_, first): Meeting => {
    const taps = Array.from({ length: kernel }, (_unused, tap) => tap)
    return { first, taps: taps.filter((tap) => (first + before - tap * dilation) % stride === 0) }
  })
}

/** The bare sums: Σ w·x and Σ |w·x|, both [N, M, depth, height, width]. */
function convolved(values: Float32Array, weights: Float32Array, sizes: TransposedSizes): ConvSums {
  const { batch, groups, channels, filters, axes, layout } = sizes
  const [deep, high, wide] = axes
  const inner = deep.input * high.input * wide.input
  const pixels = deep.output * high.output * wide.output
  const plain = new Float32Array(batch * groups * channels * inner)
  moveLayout(values, layout, plain, 'nchw', { batch, channels: groups * channels, extents: [deep.input, high.input, wide.input] })
  const sum = new Float64Array(batch * groups * filters * pixels)
  const out = { sum, magnitude: new Float64Array(sum.length) }
  let longest = 0
  for (const z of meetingsOf(deep)) {
    for (const y of meetingsOf(high)) {
      for (const x of meetingsOf(wide)) {
        const taps = z.taps.flatMap((t) => y.taps.flatMap((r) => x.taps.map((s) => [t, r, s] as const)))
        const depth = taps.length * channels
        longest = Math.max(longest, depth)
        const lines = Math.ceil((wide.output - x.first) / wide.stride)
        const patches = new Float32Array(lines * depth)
        for (let g = 0; g < groups; g++) {
          const own = filtersOf(weights, g, taps, sizes)
          for (let n = 0; n < batch; n++) {
            for (let t = z.first; t < deep.output; t += deep.stride) {
              for (let p = y.first; p < high.output; p += high.stride) {
                let at = 0
                for (let q = x.first; q < wide.output; q += wide.stride) {
                  for (const [a, b, c] of taps) {
                    const [i, j, k] = [met(deep, t, a), met(high, p, b), met(wide, q, c)]
                    const inside = i >= 0 && i < deep.input && j >= 0 && j < high.input && k >= 0 && k < wide.input
                    const start = (n * groups + g) * channels * inner + (i * high.input + j) * wide.input + k
                    for (let channel = 0; channel < channels; channel++) {
                      patches[at++] = inside ? plain[start + channel * inner]! : 0
                    }
                  }
                }
                product({ values: own, offset: 0, rows: filters }, { values: patches, offset: 0, rows: lines }, depth, out, {
                  offset: (n * groups + g) * filters * pixels + (t * high.output + p) * wide.output + x.first,
                  row: pixels,
                  column: wide.stride,
                })
              }
            }
          }
        }
      }
    }
  }
  return { ...out, depth: longest }
}

/** The value of an axis that tap `k` meets at output `o`. */
function met({ stride, dilation, before }: TransposedAxis, o: number, k: number): number {
  return (o + before - k * dilation) / stride
}

/** Filters of a group, [filter][tap][channel]. */
function filtersOf(
  weights: Float32Array,
  group: number,
  taps: readonly (readonly [number, number, number])[],
  { channels, filters, axes }: TransposedSizes,
): Float32Array {
  const [deep, high, wide] = axes
  const all = deep.kernel * high.kernel * wide.kernel
  const own = new Float32Array(filters * taps.length * channels)
  let at = 0
  for (let m = 0; m < filters; m++) {
    for (const [t, r, s] of taps) {
      for (let c = 0; c < channels; c++) {
        own[at++] = weights[((group * channels + c) * filters + m) * all + (t * high.kernel + r) * wide.kernel + s]!
      }
    }
  }
  return own
}
