/** Constants that the passes make of others: one for each, so that plans of several shapes share their weights. */
import { HostTensor, tensor } from '../tensor/tensor.ts'

const short = new WeakMap<HostTensor, HostTensor>()

/** `value` without its first `from` extents, which are 1. */
export function shortened(value: HostTensor, from: number): HostTensor {
  const known = short.get(value)
  if (known !== undefined) return known
  const made = new HostTensor(value.dtype, value.shape.slice(from), () => value.values)
  short.set(value, made)
  return made
}

const inverses = new WeakMap<HostTensor, HostTensor>()

/** 1 / value where that is exact in every element: powers of two whose inverses are normal in the dtype too. */
export function reciprocal(value: HostTensor): HostTensor | undefined {
  if (value.dtype !== 'f32' && value.dtype !== 'f16') return undefined
  const known = inverses.get(value)
  if (known !== undefined) return known
  const least = value.dtype === 'f32' ? 126 : 14
  const numbers = Array.from(value.values, Number)
  const exact = numbers.every((number) => {
    const exponent = Math.log2(Math.abs(number))
    return Number.isInteger(exponent) && Math.abs(exponent) <= least
  })
  if (!exact) return undefined
  const made = tensor(
    numbers.map((number) => 1 / number),
    value.shape,
    value.dtype,
  )
  inverses.set(value, made)
  return made
}
