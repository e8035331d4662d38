/** MatMulInteger on the CPU: exact sums, wrapped to 32 bits; scaled, biased and activated in f64 where scales are given. */
import { requireInput } from '../checks.ts'
import { activateExact } from '../gemm/activation.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { gamma } from '../tolerance.ts'
import { numbersOf, rounded } from '../values.ts'
import { integerSums, reader } from './reference-sums.ts'
import { shapeOf, type MatmulIntegerAttributes } from './rule.ts'

export function reference(inputs: InputValues, attributes: MatmulIntegerAttributes): ReferenceOutput[] {
  const a = requireInput('matmulInteger', inputs, 0, 'A')
  const b = requireInput('matmulInteger', inputs, 1, 'B')
  const { sizes, output, ...walks } = shapeOf(inputs, attributes)
  const operands = { a, b, aZero: inputs[2] ?? null, bZero: inputs[3] ?? null }
  const sums = integerSums('matmulInteger', operands, sizes, attributes.transB)
  // Remainders of 2^32 are exact in f64, and the conversion to i32 takes them as they are.
  for (let at = 0; at < sums.length; at++) sums[at] = (sums[at]! % 2 ** 32) | 0
  if (output.dtype === 'i32') return [{ tensor: rounded('i32', output.shape, sums), tolerance: { kind: 'exact' } }]
  const { batch, i, j } = sizes
  const aScale = reader(inputs[4] ?? null, walks.aScale, batch, 1)
  const bScale = reader(inputs[5] ?? null, walks.bScale, batch, 1)
  const bias = reader(inputs[6] ?? null, walks.bias, batch, 0)
  const residual = inputs[7] === undefined || inputs[7] === null ? null : numbersOf(inputs[7])
  const exact = new Float64Array(sums.length)
  const bound = new Float64Array(sums.length)
  // Roundings: the sum to f32, two products, two additions.
  const factor = gamma(5)
  for (let at = 0; at < sums.length; at++) {
    const column = at % j
    const row = Math.floor(at / j) % i
    const entry = Math.floor(at / (i * j))
    const product = sums[at]! * aScale(entry, row) * bScale(entry, column)
    const [plus, rest] = [bias(entry, column), residual?.[at] ?? 0]
    const value = product + plus + rest
    const error = factor * (Math.abs(product) + Math.abs(plus) + Math.abs(rest))
    const activated = activateExact(attributes.activation, value, error)
    exact[at] = activated.value
    bound[at] = activated.bound
  }
  const dtype = output.dtype === 'f16' ? 'f16' : 'f32'
  return [{ tensor: rounded(dtype, output.shape, exact), exact, tolerance: { kind: 'bound', bound } }]
}
