/** Constants that the passes make of others: one for each, so that plans of several shapes share their weights. */
import { moveLayout } from '../ops/conv2d/layouts.ts'
import { dimensionsOf, layoutShape, type Layout } from '../ops/layout.ts'
import { numbersOf } from '../ops/values.ts'
import { allocate, type DType, type HostArray } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
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

const moved = new WeakMap<HostTensor, Map<string, HostTensor>>()

/**
 * An operand that broadcasts to a feature map of `rank`, in another layout: [C, 1, 1] is [1, 1, C] in nhwc. Undefined for i64, which no
 * kernel of such operands takes.
 */
export function inLayout(value: HostTensor, layout: Layout, rank: number): HostTensor | undefined {
  if (value.dtype === 'i64' || value.shape.length > rank) return undefined
  const key = `${layout} ${rank}`
  const known = moved.get(value)?.get(key)
  if (known !== undefined) return known
  const whole = [...Array.from({ length: rank - value.shape.length }, () => 1), ...value.shape]
  const { batch, channels, extents } = dimensionsOf(whole, 'nchw')
  // One channel is the same for all: it lies in no quad.
  const shape = layout === 'nchw4' && channels === 1 ? [batch, 1, ...extents, 1] : layoutShape(layout, batch, channels, extents)
  const isSame = sizeOf(shape) === sizeOf(whole) && (channels === 1 || sizeOf(extents) === 1)
  const values = (): HostArray => (isSame ? value.values : movedValues(value, layout, shape, whole))
  const made: HostTensor = new HostTensor<DType>(value.dtype, shape, values)
  const others = moved.get(value) ?? new Map<string, HostTensor>()
  moved.set(value, others.set(key, made))
  return made
}

function movedValues(value: HostTensor, layout: Layout, shape: readonly number[], whole: readonly number[]): HostArray {
  const values = allocate(value.dtype, sizeOf(shape))
  if (values instanceof BigInt64Array) return value.values
  const { batch, channels, extents } = dimensionsOf(whole, 'nchw')
  moveLayout(numbersOf(value), 'nchw', values, layout, { batch, channels, extents: [1, 1, sizeOf(extents)] })
  return values
}
