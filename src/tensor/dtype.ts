/** Element types: their width on the host, their typed array, and how they lie on the device. */
import { float16Array, type Float16Values } from './half.ts'

export const DTYPES = ['f32', 'f16', 'i8', 'u8', 'i32', 'u32', 'bool', 'i64'] as const
export type DType = (typeof DTYPES)[number]

/** The typed array that holds each dtype on the host. f16 indexes to numbers; bool is one byte an element. */
export interface HostArrays {
  f32: Float32Array
  f16: Float16Values
  i8: Int8Array
  u8: Uint8Array
  i32: Int32Array
  u32: Uint32Array
  bool: Uint8Array
  i64: BigInt64Array
}
export type HostArray = HostArrays[DType]

const BYTES: Record<DType, number> = { f32: 4, f16: 2, i8: 1, u8: 1, i32: 4, u32: 4, bool: 1, i64: 8 }

/** Bytes of one element on the host and in files. */
export function byteSize(dtype: DType): number {
  return BYTES[dtype]
}

export function isFloat(dtype: DType): dtype is 'f32' | 'f16' {
  return dtype === 'f32' || dtype === 'f16'
}

export function isDType(value: unknown): value is DType {
  return typeof value === 'string' && (DTYPES as readonly string[]).includes(value)
}

/** A new zeroed host array of `length` elements. */
export function allocate<D extends DType>(dtype: D, length: number): HostArrays[D] {
  return create(dtype, length) as HostArrays[D]
}

function create(dtype: DType, length: number): HostArray {
  switch (dtype) {
    case 'f32':
      return new Float32Array(length)
    case 'f16':
      return float16Array(length)
    case 'i8':
      return new Int8Array(length)
    case 'u8':
    case 'bool':
      return new Uint8Array(length)
    case 'i32':
      return new Int32Array(length)
    case 'u32':
      return new Uint32Array(length)
    case 'i64':
      return new BigInt64Array(length)
  }
}

/** A host array over little-endian bytes (copied when they are not aligned for it). */
export function fromBytes<D extends DType>(dtype: D, bytes: Uint8Array): HostArrays[D] {
  const size = byteSize(dtype)
  // A copy through the constructor: `slice` of a Node Buffer would share its memory.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes)
  return view(dtype, aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / size) as HostArrays[D]
}

function view(dtype: DType, buffer: ArrayBuffer, offset: number, length: number): HostArray {
  switch (dtype) {
    case 'f32':
      return new Float32Array(buffer, offset, length)
    case 'f16':
      return float16Array(buffer, offset, length)
    case 'i8':
      return new Int8Array(buffer, offset, length)
    case 'u8':
    case 'bool':
      return new Uint8Array(buffer, offset, length)
    case 'i32':
      return new Int32Array(buffer, offset, length)
    case 'u32':
      return new Uint32Array(buffer, offset, length)
    case 'i64':
      return new BigInt64Array(buffer, offset, length)
  }
}
