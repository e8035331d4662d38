/**
 * Floats to bytes with a scale and a zero point: one for the whole tensor, or one for each index of an axis (a channel, a row).
 *
 *     x [2, 3], axis 0          scale [2]      zero point [2]
 *     | -1.0  0.2  0.5 |   ->   | 1/127 |      | 0 |
 *     |  0.0  3.0  2.0 |   ->   | 3/127 |      | 0 |
 */
import { DtypeError } from '../errors.ts'
import { allocate } from '../tensor/dtype.ts'
import { normalizeAxis, sizeOf } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { BYTE_RANGE, quantized, type ByteType } from './integers.ts'

export interface Int8Options {
  /** Quantise each index of this axis apart; absent: the whole tensor at once. */
  readonly axis?: number
  /** Zero maps to the zero point 0 (i8) or 128 (u8) and both signs share a scale. Default true. */
  readonly symmetric?: boolean
  /** Default i8. */
  readonly dtype?: ByteType
}

export interface Quantized {
  /** As the input in shape, `dtype` in kind. */
  readonly values: HostTensor<'i8'> | HostTensor<'u8'>
  /** [] or [extent of the axis]. */
  readonly scales: HostTensor<'f32'>
  readonly zeroPoints: HostTensor<'i8'> | HostTensor<'u8'>
}

/** Scale and zero point that put least … most (0 included) on the range of `type`. A range of one point, 0, has scale 1. */
export function scaleOf(least: number, most: number, type: ByteType, symmetric: boolean): { scale: number; zeroPoint: number } {
  const [low, high] = BYTE_RANGE[type]
  if (symmetric) {
    const middle = type === 'u8' ? 128 : 0
    const largest = Math.max(-least, most, 0)
    return { scale: usable(largest / (high - middle)), zeroPoint: middle }
  }
  const [from, to] = [Math.min(least, 0), Math.max(most, 0)]
  const scale = usable((to - from) / (high - low))
  return { scale, zeroPoint: quantized(-from / scale, low, type) }
}

/** An f32 scale that can be divided by: 1 for a tensor of zeros, and never below the smallest normal f32. */
function usable(scale: number): number {
  return scale === 0 ? 1 : Math.max(Math.fround(scale), 2 ** -126)
}

/**
 * Quantises a float tensor. |x − scale·(q − zero point)| ≤ scale/2 for every finite x, a little more where f32 rounds the scale.
 * @throws DtypeError for tensors that are not f32 or f16, or that hold NaN or infinities
 */
export function quantizeInt8(tensor: HostTensor, { axis, symmetric = true, dtype = 'i8' }: Int8Options = {}): Quantized {
  const numbers = finiteNumbers(tensor)
  const at = axis === undefined ? undefined : normalizeAxis(axis, tensor.shape.length)
  const channels = at === undefined ? 1 : (tensor.shape[at] ?? 1)
  const inner = at === undefined ? Math.max(1, numbers.length) : sizeOf(tensor.shape.slice(at + 1))
  const channelOf = (index: number): number => Math.floor(index / inner) % channels
  const least = new Float64Array(channels)
  const most = new Float64Array(channels)
  for (let i = 0; i < numbers.length; i++) {
    const channel = channelOf(i)
    const value = numbers[i] ?? 0
    least[channel] = Math.min(least[channel] ?? 0, value)
    most[channel] = Math.max(most[channel] ?? 0, value)
  }
  const scales = new Float32Array(channels)
  const zeros = allocate(dtype, channels)
  const values = allocate(dtype, numbers.length)
  for (let channel = 0; channel < channels; channel++) {
    const found = scaleOf(least[channel] ?? 0, most[channel] ?? 0, dtype, symmetric)
    scales[channel] = found.scale
    zeros[channel] = found.zeroPoint
  }
  for (let i = 0; i < numbers.length; i++) {
    const channel = channelOf(i)
    values[i] = quantized((numbers[i] ?? 0) / (scales[channel] ?? 1), zeros[channel] ?? 0, dtype)
  }
  const shape = at === undefined ? [] : [channels]
  return {
    values: bytes(tensor.shape, values),
    scales: new HostTensor('f32', shape, scales),
    zeroPoints: bytes(shape, zeros),
  }
}

function bytes(shape: readonly number[], values: Int8Array | Uint8Array): Quantized['values'] {
  return values instanceof Int8Array ? new HostTensor('i8', shape, values) : new HostTensor('u8', shape, values)
}

/** The values of a float tensor. @throws DtypeError for other dtypes, NaN and infinities */
export function finiteNumbers(tensor: HostTensor): ArrayLike<number> {
  const { values, dtype, shape } = tensor
  if ((dtype !== 'f32' && dtype !== 'f16') || values instanceof BigInt64Array) {
    throw new DtypeError('Only f32 and f16 tensors are quantised', { dtype, shape, remedy: 'Cast it first' })
  }
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue
    throw new DtypeError(`Value ${values[i]} at index ${i} has no quantised form`, { dtype, shape })
  }
  return values
}
