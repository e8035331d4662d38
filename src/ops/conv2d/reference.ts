/**
 * Convolution on the CPU in f64. The input is padded with zeros first, so that no loop asks where it is; then, one output row at a
 * time, the windows of the row are laid side by side and multiplied with the filters of their group.
 * Bound: K = C·taps products, the bias and the residual as terms more, through the activation's slope; besides, what tolerance.ts says
 * of algorithms that transform.
 */
import type { TensorType } from '../../tensor/tensor.ts'
import { requireInput } from '../checks.ts'
import { keptWeights, withoutZeros } from '../gemm/kept-reference.ts'
import { product } from '../gemm/reference-product.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { placedReference } from '../place.ts'
import { floatsOf } from '../values.ts'
import { INPUT, pixelsOf, tapsOf } from './convolution.ts'
import { moveLayout } from './layouts.ts'
import { finishSums, type ConvSums } from './reference-finish.ts'
import { convolutionOf, convSizes, type ConvAttributes, type ConvSizes } from './rule.ts'
import { spreadOf, transformTolerance } from './tolerance.ts'

export function reference(inputs: InputValues, attributes: ConvAttributes): ReferenceOutput[] {
  const x = requireInput('conv2d', inputs, INPUT.x, 'X')
  const w = requireInput('conv2d', inputs, INPUT.w, 'W')
  const sizes = convSizes(inputs, attributes)
  const filters = attributes.sparsity === undefined ? floatsOf(w) : keptWeights(floatsOf(w), w.shape)
  const sums = convolved(floatsOf(x), filters, sizes)
  const output: TensorType = { dtype: x.dtype, shape: sizes.shape }
  const spread = spreadOf(convolutionOf(inputs, attributes, output), attributes.algorithm)
  const more = spread === undefined ? null : transformTolerance(planesOf(floatsOf(x), sizes), floatsOf(w), sizes, spread)
  const finished = finishSums(sums, inputs, attributes, sizes, more)
  const own = attributes.sparsity === undefined ? finished : withoutZeros(finished)
  return [placedReference(own, sizes.groups * sizes.filters, sizes.outputLayout, attributes.place)]
}

/** The bare convolution of values in a layout: Σ w·x and Σ |w·x|, both [N, M, depth, height, width]. */
export function convolved(values: Float32Array, weights: Float32Array, sizes: ConvSizes): ConvSums {
  const { batch, groups, channels, filters, axes } = sizes
  const [z, y, x] = axes
  const depth = channels * tapsOf(sizes)
  const pixels = pixelsOf(sizes)
  const planes = padded(values, sizes)
  const sum = new Float64Array(batch * groups * filters * pixels)
  const magnitude = new Float64Array(sum.length)
  const patches = new Float32Array(x.output * depth)
  for (let n = 0; n < batch; n++) {
    for (let g = 0; g < groups; g++) {
      for (let t = 0; t < z.output; t++) {
        for (let p = 0; p < y.output; p++) {
          gather(planes, n * groups + g, t, p, sizes, patches)
          product(
            { values: weights, offset: g * filters * depth, rows: filters },
            { values: patches, offset: 0, rows: x.output },
            depth,
            { sum, magnitude },
            { offset: (n * groups + g) * filters * pixels + (t * y.output + p) * x.output, row: pixels, column: 1 },
          )
        }
      }
    }
  }
  return { sum, magnitude, depth }
}

/** All planes of the input, [N, C, depth, height, width]. */
function planesOf(values: Float32Array, { batch, groups, channels, axes, layout }: ConvSizes): Float32Array {
  if (layout === 'nchw') return values
  const [z, y, x] = axes
  const all = groups * channels
  const plain = new Float32Array(batch * all * z.input * y.input * x.input)
  moveLayout(values, layout, plain, 'nchw', { batch, channels: all, extents: [z.input, y.input, x.input] })
  return plain
}

/** The planes with their zero padding. */
function padded(values: Float32Array, sizes: ConvSizes): Float32Array {
  const { batch, groups, channels, axes } = sizes
  const [z, y, x] = axes
  const all = groups * channels
  const plain = planesOf(values, sizes)
  const [depth, height, width] = axes.map(({ before, input, after }) => before + input + after)
  if (depth === undefined || height === undefined || width === undefined) return plain
  if (depth === z.input && height === y.input && width === x.input) return plain
  const result = new Float32Array(batch * all * depth * height * width)
  for (let row = 0; row < batch * all * z.input * y.input; row++) {
    const plane = Math.floor(row / y.input)
    const volume = Math.floor(plane / z.input)
    const above = (volume * depth + z.before + (plane % z.input)) * height
    result.set(plain.subarray(row * x.input, (row + 1) * x.input), (above + y.before + (row % y.input)) * width + x.before)
  }
  return result
}

/** The windows of output row t, p under channel group `block` (counted over the batch), one after another as [c][t][r][s]. */
function gather(planes: Float32Array, block: number, t: number, p: number, sizes: ConvSizes, patches: Float32Array): void {
  const { channels, axes } = sizes
  const [z, y, x] = axes
  const [depth = 1, height = 1, width = 1] = axes.map(({ before, input, after }) => before + input + after)
  let at = 0
  for (let q = 0; q < x.output; q++) {
    for (let c = 0; c < channels; c++) {
      for (let k = 0; k < z.kernel; k++) {
        const plane = (block * channels + c) * depth + t * z.stride + k * z.dilation
        for (let r = 0; r < y.kernel; r++) {
          const row = plane * height + p * y.stride + r * y.dilation
          const start = row * width + q * x.stride
          for (let s = 0; s < x.kernel; s++) patches[at++] = planes[start + s * x.dilation]!
        }
      }
    }
  }
}
