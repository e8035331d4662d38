/**
 * Seeded values of the bench. Every value is a function of its index alone (a hash of it), so that the peers, each in a process of its
 * own, compute on the same tensors, and so that a reference needs no copy of them.
 */
import { float16Array } from '../src/tensor/half.ts'

/** What tensors are stored as: f16 as its bits. */
export type OperandArray = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Int8Array<ArrayBuffer>

/** 32 bits from an index: the finaliser of MurmurHash3 (Appleby). */
export function hash(index: number, seed: number): number {
  let bits = (index ^ seed) | 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

/** A multiple of 2⁻¹⁰ in [−1, 1): exact in f16, whose significand has 11 bits. */
export const halfAt = (index: number, seed: number): number => ((hash(index, seed) >>> 21) - 1024) / 1024
/** A multiple of 2⁻²³ in [−1, 1): exact in f32. */
export const floatAt = (index: number, seed: number): number => ((hash(index, seed) >>> 8) - 2 ** 23) / 2 ** 23
export const byteAt = (index: number, seed: number): number => (hash(index, seed) >>> 24) - 128

/** The bits of n / 1024 as f16, for −1024 ≤ n < 1024. */
function halfBitsOf(n: number): number {
  if (n === 0) return 0
  const sign = n < 0 ? 0x8000 : 0
  const size = Math.abs(n)
  const exponent = 31 - Math.clz32(size)
  return sign | ((exponent - 10 + 15) << 10) | ((size << (10 - exponent)) & 0x3ff)
}

const HALF_BITS = Uint16Array.from({ length: 2048 }, (_, index) => halfBitsOf(index - 1024))

/** The bits of what `halfAt` gives, as f16. */
export const halfBitsAt = (value: number): number => HALF_BITS[1024 * value + 1024] ?? 0

/** `count` values; f16 as bits. */
export function filled(dtype: 'f32' | 'f16' | 'int8', count: number, seed: number): OperandArray {
  if (dtype === 'f16') {
    const bits = new Uint16Array(count)
    for (let index = 0; index < count; index++) bits[index] = HALF_BITS[hash(index, seed) >>> 21] ?? 0
    return bits
  }
  if (dtype === 'int8') {
    const values = new Int8Array(count)
    for (let index = 0; index < count; index++) values[index] = byteAt(index, seed)
    return values
  }
  const values = new Float32Array(count)
  for (let index = 0; index < count; index++) values[index] = floatAt(index, seed)
  return values
}

/** Values as numbers: bits of half floats become what they say. */
export function numbersOf(values: OperandArray | Int32Array<ArrayBuffer>): ArrayLike<number> {
  return values instanceof Uint16Array ? float16Array(values.buffer, values.byteOffset, values.length) : values
}
