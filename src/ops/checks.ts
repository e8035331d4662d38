/** Checks that the shape rules of several ops share, with errors that name the op, the input, its dtype and its shape. */
import { DeviceLimitError, DtypeError, ShapeError } from '../errors.ts'
import type { DType } from '../tensor/dtype.ts'
import { formatShape, sizeOf } from '../tensor/shape.ts'
import type { HostTensor, TensorType } from '../tensor/tensor.ts'

/** Input `index`, which must be there. `name` is its name in the ONNX operator. @throws ShapeError */
export function requireInput<T extends TensorType | HostTensor>(
  op: string,
  inputs: readonly (T | null)[],
  index: number,
  name: string,
): T {
  const input = inputs[index]
  if (input === undefined || input === null) throw new ShapeError(`Input ${index} (${name}) is missing`, { op })
  return input
}

/** @throws DtypeError when `type` is none of `allowed` */
export function requireDType(op: string, name: string, type: TensorType, allowed: readonly DType[]): void {
  if (allowed.includes(type.dtype)) return
  throw new DtypeError(`Input ${name} is ${type.dtype}, but ${op} takes ${allowed.join(', ')}`, {
    op,
    dtype: type.dtype,
    shape: type.shape,
    remedy: 'Cast it first',
  })
}

/** @throws DtypeError when the dtypes of two inputs differ */
export function requireSameDType(op: string, name: string, type: TensorType, other: TensorType): void {
  if (type.dtype === other.dtype) return
  throw new DtypeError(`Input ${name} is ${type.dtype} beside ${other.dtype}`, {
    op,
    dtype: type.dtype,
    remedy: 'Cast one of them',
  })
}

/** @throws ShapeError when the rank is outside `least` … `most` */
export function requireRank(op: string, name: string, type: TensorType, least: number, most: number): void {
  const rank = type.shape.length
  if (rank >= least && rank <= most) return
  const range = least === most ? `${least}` : most === Infinity ? `at least ${least}` : `${least} to ${most}`
  throw new ShapeError(`Input ${name} has rank ${rank}, not ${range}`, { op, shape: type.shape })
}

/** @throws ShapeError unless a vector has `extent` elements */
export function requireVector(op: string, name: string, type: TensorType, extent: number): void {
  if (type.shape.length === 1 && type.shape[0] === extent) return
  throw new ShapeError(`Input ${name} has shape ${formatShape(type.shape)}, not [${extent}]`, { op, shape: type.shape })
}

/** Kernels index elements with 32 bits. @throws DeviceLimitError for a tensor with more */
export function requireIndexable(op: string, ...types: readonly (TensorType | null | undefined)[]): void {
  for (const type of types) {
    if (type === null || type === undefined || sizeOf(type.shape) < 2 ** 31) continue
    throw new DeviceLimitError('A tensor has too many elements for 32-bit indices', {
      op,
      dtype: type.dtype,
      shape: type.shape,
      limit: '2^31 elements',
      remedy: 'Use a smaller batch',
    })
  }
}
