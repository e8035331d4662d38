/**
 * MatMulNBits on the CPU: weights dequantised in f64, products summed in f64. Bound: K products and sums in f32 of weights that were
 * rounded once; where activations are rounded to i8 per block (accuracyLevel 4), half a step of each block besides.
 */
import { requireInput } from '../checks.ts'
import { activateExact } from '../gemm/activation.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { gamma } from '../tolerance.ts'
import { floatsOf, numbersOf, rounded } from '../values.ts'
import { nbitsSizes, OP, type NBitsAttributes, type NBitsSizes } from './rule.ts'

/** The weights as numbers, [columns, depth]. */
export function dequantised(inputs: InputValues, { columns, depth, bits, block, blocks, zeros }: NBitsSizes): Float64Array {
  const packed = numbersOf(requireInput(OP, inputs, 1, 'B'))
  const scales = numbersOf(requireInput(OP, inputs, 2, 'scales'))
  const given = inputs[3] === undefined || inputs[3] === null ? [] : numbersOf(inputs[3])
  const at = (bytes: ArrayLike<number>, start: number, index: number): number => {
    const byte = bytes[start + Math.floor((index * bits) / 8)] ?? NaN
    return bits === 8 ? byte : index % 2 === 0 ? byte & 15 : byte >> 4
  }
  const zeroBytes = Math.ceil((blocks * bits) / 8)
  const zeroOf = (column: number, each: number): number => {
    if (zeros === 'middle') return 2 ** (bits - 1)
    return zeros === 'packed' ? at(given, column * zeroBytes, each) : (given[column * blocks + each] ?? NaN)
  }
  const weights = new Float64Array(columns * depth)
  for (let column = 0; column < columns; column++) {
    for (let k = 0; k < depth; k++) {
      const each = Math.floor(k / block)
      const start = ((column * blocks + each) * block * bits) / 8
      weights[column * depth + k] = (at(packed, start, k % block) - zeroOf(column, each)) * (scales[column * blocks + each] ?? NaN)
    }
  }
  return weights
}

export function reference(inputs: InputValues, given: NBitsAttributes): ReferenceOutput[] {
  const sizes = nbitsSizes(inputs, given)
  const { rows, columns, depth, block, shape } = sizes
  const a = requireInput(OP, inputs, 0, 'A')
  const values = floatsOf(a)
  const weights = dequantised(inputs, sizes)
  const bias = inputs[4] === undefined || inputs[4] === null ? null : floatsOf(inputs[4])
  const exact = new Float64Array(rows * columns)
  const bound = new Float64Array(rows * columns)
  // The weight's own two roundings, the products and sums, the bias.
  const factor = gamma(depth + 4)
  for (let row = 0; row < rows; row++) {
    const steps = given.accuracyLevel === 4 ? halfSteps(values, row * depth, depth, block) : null
    for (let column = 0; column < columns; column++) {
      const plus = bias?.[column] ?? 0
      let sum = plus
      let magnitude = Math.abs(plus)
      let coarse = 0
      for (let k = 0; k < depth; k++) {
        const weight = weights[column * depth + k]!
        const term = values[row * depth + k]! * weight
        sum += term
        magnitude += Math.abs(term)
        if (steps !== null) coarse += Math.abs(weight) * steps[Math.floor(k / block)]!
      }
      const at = row * columns + column
      const activated = activateExact(given.activation, sum, factor * (magnitude + coarse) + coarse)
      exact[at] = activated.value
      bound[at] = activated.bound
    }
  }
  return [{ tensor: rounded(a.dtype === 'f16' ? 'f16' : 'f32', shape, exact), exact, tolerance: { kind: 'bound', bound } }]
}

/** Half a step, and a rounding more, of each block of a row whose largest magnitude becomes 127. */
function halfSteps(values: Float32Array, start: number, depth: number, block: number): number[] {
  const steps: number[] = []
  for (let first = 0; first < depth; first += block) {
    let largest = 0
    for (let k = first; k < Math.min(depth, first + block); k++) largest = Math.max(largest, Math.abs(values[start + k]!))
    steps.push((largest / 127) * 0.5001)
  }
  return steps
}
