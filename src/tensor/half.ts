/** Half floats behind one module: the native `Float16Array` where there is one, else `@petamoriken/float16`. */
import { Float16Array as Polyfill } from '@petamoriken/float16'

/** A Float16Array, native or not: indexes to numbers, 2 bytes an element. */
export type Float16Values = Polyfill

type Constructor = typeof Polyfill
const native = (globalThis as { Float16Array?: Constructor }).Float16Array
const Float16 = native ?? Polyfill

export function float16Array(length: number): Float16Values
export function float16Array(buffer: ArrayBuffer, byteOffset: number, length: number): Float16Values
export function float16Array(first: number | ArrayBuffer, byteOffset?: number, length?: number): Float16Values {
  return typeof first === 'number' ? new Float16(first) : new Float16(first, byteOffset, length)
}

/** True for a Float16Array, native or polyfilled. */
export function isFloat16Array(value: unknown): value is Float16Values {
  return value instanceof Float16 || value instanceof Polyfill
}

/** The raw 16-bit patterns of half floats, sharing their memory. */
export function halfBits(values: Float16Values): Uint16Array {
  return new Uint16Array(values.buffer as ArrayBuffer, values.byteOffset, values.length)
}
