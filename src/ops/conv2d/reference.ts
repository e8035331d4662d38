/**
 * Convolution on the CPU in f64. The input is padded with zeros first, so that no loop asks where it is; then, one output row at a
 * time, the windows of the row are laid side by side and multiplied with the filters of their group.
 * Bound: K = C·R·S products and the bias as one more term.
 */
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { product } from '../gemm/reference-product.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { gamma } from '../tolerance.ts'
import { floatsOf, rounded } from '../values.ts'
import { convSizes, type ConvAttributes, type ConvSizes } from './rule.ts'

export function reference(inputs: InputValues, attributes: ConvAttributes): ReferenceOutput[] {
  const x = requireInput('conv2d', inputs, 0, 'X')
  const w = requireInput('conv2d', inputs, 1, 'W')
  const bias = inputs[2] ?? null
  const sizes = convSizes(inputs, attributes)
  const { batch, groups, channels, filters, shape } = sizes
  const rows = sizes.y.output
  const columns = sizes.x.output
  const depth = channels * sizes.y.kernel * sizes.x.kernel
  const planes = padded(floatsOf(x), sizes)
  const weights = floatsOf(w)
  const exact = new Float64Array(sizeOf(shape))
  const bound = new Float64Array(exact.length)
  const patches = new Float32Array(columns * depth)
  for (let n = 0; n < batch; n++) {
    for (let g = 0; g < groups; g++) {
      for (let p = 0; p < rows; p++) {
        gather(planes, n * groups + g, p, sizes, patches)
        product(
          { values: weights, offset: g * filters * depth, rows: filters },
          { values: patches, offset: 0, rows: columns },
          depth,
          { sum: exact, magnitude: bound },
          { offset: ((n * groups + g) * filters * rows + p) * columns, row: rows * columns, column: 1 },
        )
      }
    }
  }
  const addends = bias === null ? null : floatsOf(bias)
  const factor = gamma(addends === null ? depth : depth + 1)
  const plane = rows * columns
  for (let at = 0; at < exact.length; at++) {
    const addend = addends === null ? 0 : addends[Math.floor(at / plane) % (filters * groups)]!
    const sum = exact[at]! + addend
    exact[at] = attributes.activation === 'relu' && sum < 0 ? 0 : sum
    bound[at] = factor * (bound[at]! + Math.abs(addend))
  }
  return [{ tensor: rounded(x.dtype === 'f16' ? 'f16' : 'f32', shape, exact), exact, tolerance: { kind: 'bound', bound } }]
}

/** All planes of the input with their zero padding. */
function padded(values: Float32Array, { batch, groups, channels, y, x }: ConvSizes): Float32Array {
  const height = y.before + y.input + y.after
  const width = x.before + x.input + x.after
  if (height === y.input && width === x.input) return values
  const planes = batch * groups * channels
  const result = new Float32Array(planes * height * width)
  for (let row = 0; row < planes * y.input; row++) {
    const target = Math.floor(row / y.input) * height + y.before + (row % y.input)
    result.set(values.subarray(row * x.input, (row + 1) * x.input), target * width + x.before)
  }
  return result
}

/** The windows of output row `p` under channel group `block` (counted over the batch), one after another as [c][r][s]. */
function gather(planes: Float32Array, block: number, p: number, { channels, y, x }: ConvSizes, patches: Float32Array): void {
  const height = y.before + y.input + y.after
  const width = x.before + x.input + x.after
  let at = 0
  for (let q = 0; q < x.output; q++) {
    for (let c = 0; c < channels; c++) {
      for (let r = 0; r < y.kernel; r++) {
        const row = (block * channels + c) * height + p * y.stride + r * y.dilation
        const start = row * width + q * x.stride
        for (let s = 0; s < x.kernel; s++) patches[at++] = planes[start + s * x.dilation]!
      }
    }
  }
}
