/**
 * Convolution on the CPU in f64. The input is padded with zeros first, so that no loop asks where it is; then, one output row at a
 * time, the windows of the row are laid side by side and multiplied with the filters of their group.
 * Bound: K = C·taps products, the bias and the residual as terms more, through the activation's slope.
 */
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { activateExact } from '../gemm/activation.ts'
import { product } from '../gemm/reference-product.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { gamma } from '../tolerance.ts'
import { floatsOf, rounded } from '../values.ts'
import { INPUT, pixelsOf, tapsOf } from './convolution.ts'
import { moveLayout, type LayoutSizes } from './layouts.ts'
import { convSizes, type ConvAttributes, type ConvSizes } from './rule.ts'

export function reference(inputs: InputValues, attributes: ConvAttributes): ReferenceOutput[] {
  const x = requireInput('conv2d', inputs, INPUT.x, 'X')
  const w = requireInput('conv2d', inputs, INPUT.w, 'W')
  const sizes = convSizes(inputs, attributes)
  const { batch, groups, filters, layout, axes, shape } = sizes
  const { sum, magnitude, depth } = convolved(floatsOf(x), floatsOf(w), sizes)
  const bias = inputs[INPUT.bias] ?? null
  const addends = bias === null ? null : floatsOf(bias)
  const given = inputs[INPUT.residual] ?? null
  const outputs: LayoutSizes = {
    batch,
    channels: groups * filters,
    extents: [axes[0].output, axes[1].output, axes[2].output],
  }
  const others = given === null ? null : new Float32Array(sum.length)
  if (given !== null && others !== null) moveLayout(floatsOf(given), layout, others, 'nchw', outputs)
  const factor = gamma(depth + (addends === null ? 0 : 1) + (others === null ? 0 : 1)) + halfSums(attributes, depth)
  const pixels = pixelsOf(sizes)
  for (let at = 0; at < sum.length; at++) {
    const addend = addends === null ? 0 : addends[Math.floor(at / pixels) % (filters * groups)]!
    const other = others === null ? 0 : others[at]!
    const bound = factor * (magnitude[at]! + Math.abs(addend) + Math.abs(other))
    const result = activateExact(attributes.activation, sum[at]! + addend + other, bound)
    sum[at] = result.value
    magnitude[at] = result.bound
  }
  const dtype = x.dtype === 'f16' ? 'f16' : 'f32'
  if (layout === 'nchw') return [{ tensor: rounded(dtype, shape, sum), exact: sum, tolerance: { kind: 'bound', bound: magnitude } }]
  const exact = new Float64Array(sizeOf(shape))
  // What lies at channels past the last is nobody's.
  const bound = new Float64Array(exact.length).fill(Infinity)
  moveLayout(sum, 'nchw', exact, layout, outputs)
  moveLayout(magnitude, 'nchw', bound, layout, outputs)
  return [{ tensor: rounded(dtype, shape, exact), exact, tolerance: { kind: 'bound', bound } }]
}

/** Sums in f16 lose digits of their own: γ_K of their roundoff 2⁻¹¹. */
function halfSums({ accumulate }: ConvAttributes, depth: number): number {
  return accumulate === 'f16' ? gamma(depth + 1, 2 ** -11) : 0
}

/** The bare convolution of values in a layout: Σ w·x and Σ |w·x|, both [N, M, depth, height, width]. */
export function convolved(
  values: Float32Array,
  weights: Float32Array,
  sizes: ConvSizes,
): { sum: Float64Array; magnitude: Float64Array; depth: number } {
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

/** All planes of the input, [N, C, depth, height, width] with their zero padding. */
function padded(values: Float32Array, { batch, groups, channels, axes, layout }: ConvSizes): Float32Array {
  const [z, y, x] = axes
  const all = groups * channels
  const sizes: LayoutSizes = { batch, channels: all, extents: [z.input, y.input, x.input] }
  let plain = values
  if (layout !== 'nchw') {
    plain = new Float32Array(batch * all * z.input * y.input * x.input)
    moveLayout(values, layout, plain, 'nchw', sizes)
  }
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
