/**
 * One case of an op's table, shared by tests and benches: attributes and input shapes; the values are made from a seed.
 * Kinds of data: `signed` uniform in −1 … 1; `integers` whole numbers −4 … 4, whose sums are exact in f32, so that every correct
 * kernel is bit-identical to the reference; `special` mixes in NaN, infinities, −0, the largest f16 and beyond, and a tiny number;
 * products of two stay within f32, because an intermediate overflow has no exact value to be compared with.
 */
import type { InputValues, OpDefinition } from '../../src/ops/op.ts'
import { allocate, type DType } from '../../src/tensor/dtype.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'

export type Data = 'signed' | 'integers' | 'special'

export interface Case {
  readonly name: string
  /** Shapes of the inputs; null where an optional input is absent. */
  readonly inputs: readonly (readonly number[] | null)[]
  readonly attributes?: Readonly<Record<string, unknown>>
  /** Default `signed`. */
  readonly data?: Data
  /** Inputs that must be positive (variances): mapped to their magnitude plus 0.1. */
  readonly positive?: readonly number[]
  /** Values of inputs that are not random, by index: those that shape the result. */
  readonly given?: Readonly<Record<number, HostTensor>>
  /** Dtypes of the case besides f32 and f16; absent: both of these. */
  readonly dtypes?: readonly DType[]
}

/** Marsaglia's xorshift32: numbers in 0 … 1 from a seed. */
export function randomFrom(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state = (state ^ (state << 5)) >>> 0
    return state / 2 ** 32
  }
}

const SPECIAL = [NaN, Infinity, -Infinity, -0, 0, 65504, 70000, -70000, 1e-7, 1e18, -1e18, 1e-30]

function valueOf(random: () => number, data: Data, dtype: DType): number {
  if (dtype === 'u8') return Math.floor(random() * 256)
  if (dtype === 'i8') return Math.floor(random() * 256) - 128
  if (data === 'integers') return Math.floor(random() * 9) - 4
  if (dtype === 'bool') return Number(random() < 0.5)
  if (dtype === 'u32') return Math.floor(random() * 2 ** 32)
  if (dtype === 'i32') return Math.floor(random() * 2 ** 32) - 2 ** 31
  if (dtype === 'i64') return Math.floor(random() * 2 ** 42) - 2 ** 41
  if (data === 'special' && random() < 0.1) return SPECIAL[Math.floor(random() * SPECIAL.length)]!
  return random() * 2 - 1
}

/** The inputs of a case in one dtype. */
export function inputsOf({ inputs, data = 'signed', positive = [], given = {} }: Case, dtype: DType, seed = 1): InputValues {
  return inputs.map((shape, index) => {
    if (shape === null) return null
    const stated = given[index]
    if (stated !== undefined) return stated
    const random = randomFrom(seed * 1000 + index)
    const values = Float64Array.from({ length: sizeOf(shape) }, () => valueOf(random, data, dtype))
    if (dtype === 'i64') return new HostTensor(dtype, shape, BigInt64Array.from(values, BigInt))
    const host = allocate(dtype, values.length)
    host.set(positive.includes(index) ? values.map((value) => Math.abs(value) + 0.1) : values)
    return new HostTensor(dtype, shape, host)
  })
}

/** An op with its table. */
export interface CaseTable {
  readonly definition: OpDefinition
  readonly cases: readonly Case[]
}
