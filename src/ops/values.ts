/** How references read and write tensors: any dtype in as numbers, f64 results out, rounded once to the tensor's dtype. */
import { DtypeError } from '../errors.ts'
import { allocate, type DType } from '../tensor/dtype.ts'
import { halfBits, isFloat16Array } from '../tensor/half.ts'
import type { Shape } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'

/** The values of an f32 or f16 tensor as f32 (exact); an f32 tensor's own array. @throws DtypeError for other dtypes. */
export function floatsOf(tensor: HostTensor): Float32Array {
  const { values } = tensor
  if (values instanceof Float32Array) return values
  if (isFloat16Array(values)) return widened(halfBits(values))
  throw new DtypeError('The reference takes f32 and f16 here', { dtype: tensor.dtype })
}

let numbers: Float32Array | undefined

/** By a table of all half floats, made when it is first needed. */
function widened(bits: Uint16Array): Float32Array {
  numbers ??= Float32Array.from({ length: 2 ** 16 }, (_, pattern) => halfToNumber(pattern))
  const result = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) result[i] = numbers[bits[i]!]!
  return result
}

/** The values of a tensor of any dtype but i64 as numbers. @throws DtypeError for i64. */
export function numbersOf(tensor: HostTensor): ArrayLike<number> {
  const { values } = tensor
  if (values instanceof BigInt64Array) throw new DtypeError('The reference takes no i64 here', { dtype: tensor.dtype })
  return isFloat16Array(values) ? floatsOf(tensor) : values
}

/** The number whose IEEE 754 binary16 pattern is `bits`. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15))
}

/** A tensor of `exact` rounded once to `dtype` (to nearest, ties to even). */
export function rounded<D extends Exclude<DType, 'i64'>>(dtype: D, shape: Shape, exact: Float64Array): HostTensor<D> {
  const values = allocate(dtype, exact.length)
  values.set(exact)
  return new HostTensor(dtype, shape, values)
}
