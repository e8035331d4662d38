/** Casting on the host. */
import { allocate, isFloat, type DType, type HostArray } from '../../tensor/dtype.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import { ULP } from '../elementwise/tolerance.ts'
import { exactly } from '../movement/reference.ts'
import type { ReferenceOutput } from '../op.ts'
import { numbersOf } from '../values.ts'

/** Least and greatest value of the integer dtypes. */
const RANGE: Readonly<Record<Exclude<DType, 'f32' | 'f16' | 'bool'>, readonly [bigint, bigint]>> = {
  i8: [-(2n ** 7n), 2n ** 7n - 1n],
  u8: [0n, 2n ** 8n - 1n],
  i32: [-(2n ** 31n), 2n ** 31n - 1n],
  u32: [0n, 2n ** 32n - 1n],
  i64: [-(2n ** 63n), 2n ** 63n - 1n],
}

/** Casts to the own dtype and between integers are exact; an integer may round to a float either way. */
export function castReference(x: HostTensor, to: DType): ReferenceOutput {
  const source: ArrayLike<number | bigint> = x.values instanceof BigInt64Array ? x.values : numbersOf(x)
  if (isFloat(to)) {
    const values = allocate(to, source.length)
    const exact = new Float64Array(source.length)
    for (let i = 0; i < source.length; i++) {
      exact[i] = Number(source[i])
      values[i] = exact[i] ?? NaN
    }
    const tensor = new HostTensor(to, x.shape, values)
    if (to === x.dtype || x.dtype === 'f16') return exactly(tensor)
    return { tensor, exact, tolerance: { kind: 'relative', relative: ULP, absolute: 0 } }
  }
  const values: HostArray = allocate(to, source.length)
  for (let i = 0; i < source.length; i++) {
    const value = source[i] ?? 0
    if (to === 'bool') values[i] = Number(value !== 0 && value !== 0n)
    else {
      const integer = isFloat(x.dtype) ? truncated(Number(value), to) : BigInt(value)
      // Typed arrays drop the bits that they have no room for.
      if (values instanceof BigInt64Array) values[i] = integer
      else values[i] = Number(BigInt.asIntN(32, integer))
    }
  }
  return exactly(new HostTensor(to, x.shape, values))
}

/** A float truncated and saturated. */
function truncated(value: number, to: keyof typeof RANGE): bigint {
  const [least, greatest] = RANGE[to]
  if (Number.isNaN(value)) return 0n
  if (value >= Number(greatest)) return greatest
  if (value <= Number(least)) return least
  return BigInt(Math.trunc(value))
}
