/** Tensors. A HostTensor is a typed array with a shape; a DeviceTensor (src/gpu) is the same idea in GPU memory. */
import { DtypeError, ShapeError } from '../errors.ts'
import { allocate, DTYPES, isDType, type DType, type HostArray, type HostArrays } from './dtype.ts'
import { float16Array, isFloat16Array } from './half.ts'
import { formatShape, sizeOf, type Shape } from './shape.ts'

/** What host and device tensors share, and what shape rules and plans see. */
export interface TensorType {
  readonly dtype: DType
  readonly shape: Shape
}

/** A tensor wherever it lies. `data()` reads it back (at once for a host tensor); row-major. */
export interface Tensor extends TensorType {
  readonly location: 'host' | 'device'
  data(): Promise<HostArray>
  dispose(): void
  [Symbol.dispose](): void
}

/**
 * Row-major values on the host. The array is shared, not copied. Given a function instead of an array, the tensor is *lazy*:
 * the values are made when they are first read, and may be collected and made again (the function must give equal values
 * each time), so that a network of 138 million seeded weights costs nothing until it is uploaded.
 */
export class HostTensor<D extends DType = DType> implements Tensor {
  readonly location = 'host'
  readonly dtype: D
  readonly shape: Shape
  declare readonly values: HostArrays[D]

  constructor(dtype: D, shape: Shape, values: HostArrays[D] | (() => HostArrays[D])) {
    this.dtype = dtype
    this.shape = shape
    if (typeof values === 'function') {
      let made: WeakRef<HostArrays[D]> | undefined
      const get = (): HostArrays[D] => {
        const known = made?.deref()
        if (known !== undefined) return known
        const fresh = checked(dtype, shape, values())
        made = new WeakRef(fresh)
        return fresh
      }
      Object.defineProperty(this, 'values', { get, enumerable: true })
    } else {
      this.values = checked(dtype, shape, values)
    }
  }

  /** Resolves to the values themselves. */
  data(): Promise<HostArrays[D]> {
    return Promise.resolve(this.values)
  }

  /** Nothing to release: here so that callers need not care where a tensor lies. */
  dispose(): void {}
  [Symbol.dispose](): void {}
}

function checked<A extends HostArray>(dtype: DType, shape: Shape, values: A): A {
  if (values.length === sizeOf(shape)) return values
  throw new ShapeError(`A tensor of shape ${formatShape(shape)} holds ${sizeOf(shape)} elements, but ${values.length} were given`, {
    dtype,
  })
}

/** What `tensor()` takes: numbers, typed arrays, raw f16 bits in a Uint16Array, BigInt64Array for i64. */
export type TensorData = ArrayLike<number> | ArrayLike<bigint> | ArrayLike<boolean>

/**
 * A host tensor from numbers or a typed array. The dtype is taken from the typed array where it is not given
 * (plain arrays and Float64Array: f32). Typed arrays of the right kind are shared, not copied.
 * @throws ShapeError when the shape is not made of non-negative integers or does not hold `data.length` elements.
 * @throws DtypeError when `data` cannot hold `dtype` (integers out of range, fractions for an integer dtype).
 */
export function tensor<D extends DType = DType>(data: TensorData, shape?: Shape, dtype?: D): HostTensor<D> {
  const ownShape = shape ?? [data.length]
  for (const extent of ownShape) {
    if (!Number.isInteger(extent) || extent < 0) {
      throw new ShapeError(`Shape ${formatShape(ownShape)} has an extent that is no non-negative integer`)
    }
  }
  const target = dtype ?? (guessDType(data) as D)
  if (!isDType(target)) throw new DtypeError(`There is no dtype ${String(target)}`, { remedy: `Use one of ${DTYPES.join(', ')}` })
  return new HostTensor(target, ownShape, toHostArray(data, target))
}

function guessDType(data: TensorData): DType {
  if (data instanceof Float32Array) return 'f32'
  if (data instanceof Int8Array) return 'i8'
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return 'u8'
  if (data instanceof Int32Array) return 'i32'
  if (data instanceof Uint32Array) return 'u32'
  if (data instanceof BigInt64Array) return 'i64'
  if (data instanceof Uint16Array || isFloat16Array(data)) return 'f16'
  if (typeof data[0] === 'bigint') return 'i64'
  if (typeof data[0] === 'boolean') return 'bool'
  return 'f32'
}

/** Values that integer dtypes hold. */
const INTEGER_RANGES: Partial<Record<DType, readonly [least: number, most: number]>> = {
  i8: [-128, 127],
  u8: [0, 255],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
}

/** Whether `data` is the typed array that holds `dtype`. */
function isHostArrayOf<D extends DType>(data: TensorData, dtype: D): data is TensorData & HostArrays[D] {
  return data instanceof (allocate(dtype, 0).constructor as new () => object)
}

function toHostArray<D extends DType>(data: TensorData, dtype: D): HostArrays[D] {
  if (dtype !== 'bool' && isHostArrayOf(data, dtype)) return data
  if (dtype === 'f16' && data instanceof Uint16Array) {
    return float16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length) as HostArrays[D]
  }
  const out = allocate(dtype, data.length)
  if (dtype === 'i64') {
    const wide = out as BigInt64Array
    for (let i = 0; i < data.length; i++) {
      const value = data[i]!
      if (typeof value === 'number' && !Number.isInteger(value)) {
        throw new DtypeError(`Value ${value} at index ${i} is no integer`, { dtype: 'i64' })
      }
      wide[i] = BigInt(value)
      if (wide[i] !== BigInt(value)) throw new DtypeError(`Value ${value} at index ${i} does not fit`, { dtype: 'i64' })
    }
    return out
  }
  const narrow = out as Float32Array
  const range = INTEGER_RANGES[dtype]
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]!)
    if (range !== undefined && !(Number.isInteger(value) && value >= range[0] && value <= range[1])) {
      throw new DtypeError(`Value ${value} at index ${i} does not fit`, {
        dtype,
        remedy: `Give integers from ${range[0]} to ${range[1]}`,
      })
    }
    narrow[i] = dtype === 'bool' ? Number(value !== 0) : value
  }
  return out
}
