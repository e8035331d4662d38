/** Cases of the products of bytes and of packed weights: operands of several dtypes, made from a seed. */
import { matmulInteger } from '../../src/ops/matmul-integer/op.ts'
import { dequantizeLinear } from '../../src/ops/dequantize-linear/op.ts'
import { dynamicQuantizeLinear } from '../../src/ops/dynamic-quantize-linear/op.ts'
import { matmulNBits } from '../../src/ops/matmul-nbits/op.ts'
import { qlinearMatmul } from '../../src/ops/qlinear-matmul/op.ts'
import { quantizeLinear } from '../../src/ops/quantize-linear/op.ts'
import type { InputValues, OpDefinition } from '../../src/ops/op.ts'
import { allocate, type DType } from '../../src/tensor/dtype.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { HostTensor, type TensorType } from '../../src/tensor/tensor.ts'
import { randomFrom } from './case.ts'

/** A tensor of random values: integers over their whole range, floats in `least` … `most`. */
export interface Filled {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly least?: number
  readonly most?: number
  /** This one value everywhere. */
  readonly all?: number
}

const RANGE: Partial<Record<DType, readonly [number, number]>> = { i8: [-128, 127], u8: [0, 255], i32: [-(2 ** 31), 2 ** 31 - 1] }

export function filled({ dtype, shape, all, ...range }: Filled, seed: number): HostTensor {
  const random = randomFrom(seed)
  const values = allocate(dtype, sizeOf(shape))
  const [low, high] = RANGE[dtype] ?? [-1, 1]
  const least = range.least ?? low
  const most = range.most ?? high
  const whole = dtype !== 'f32' && dtype !== 'f16'
  for (let i = 0; i < values.length; i++) {
    const value = all ?? (whole ? least + Math.floor(random() * (most - least + 1)) : least + random() * (most - least))
    if (values instanceof BigInt64Array) values[i] = BigInt(value)
    else values[i] = value
  }
  return new HostTensor(dtype, shape, values)
}

export interface QuantisedCase {
  readonly name: string
  readonly definition: OpDefinition
  readonly inputs: readonly (Filled | null)[]
  readonly attributes?: Readonly<Record<string, unknown>>
}

export function valuesOf({ inputs }: QuantisedCase, seed = 7): InputValues {
  return inputs.map((input, index) => (input === null ? null : filled(input, seed * 100 + index)))
}

/** The types of a case's inputs. */
export function typesOf({ inputs }: QuantisedCase): (TensorType | null)[] {
  return inputs.map((input) => (input === null ? null : { dtype: input.dtype, shape: input.shape }))
}

/** What dynamicQuantizeLinear makes of four floats. */
export const DYNAMIC_TYPES: readonly TensorType[] = [
  { dtype: 'u8', shape: [4] },
  { dtype: 'f32', shape: [] },
  { dtype: 'u8', shape: [] },
]

export function bytes(dtype: 'i8' | 'u8', ...shape: number[]): Filled {
  return { dtype, shape }
}

export function scales(...shape: number[]): Filled {
  return { dtype: 'f32', shape, least: 0.001, most: 0.02 }
}

const definition: OpDefinition = matmulInteger

export const MATMUL_INTEGER: readonly QuantisedCase[] = [
  { name: '1×1×1', definition, inputs: [bytes('i8', 1, 1), bytes('i8', 1, 1)] },
  { name: 'one row, odd sizes', definition, inputs: [bytes('i8', 1, 77), bytes('i8', 77, 131), null, bytes('i8', 131)] },
  { name: 'five rows, u8 and i8', definition, inputs: [bytes('u8', 5, 37), bytes('i8', 37, 71), bytes('u8'), bytes('i8', 71)] },
  { name: 'tiles and one more', definition, inputs: [bytes('u8', 65, 33), bytes('u8', 33, 66), bytes('u8', 65), bytes('u8', 1)] },
  {
    name: 'transposed B',
    definition,
    inputs: [bytes('i8', 66, 67), bytes('u8', 65, 67), null, bytes('u8', 65)],
    attributes: { transB: true },
  },
  { name: 'transposed B, two rows', definition, inputs: [bytes('i8', 2, 300), bytes('i8', 30, 300)], attributes: { transB: true } },
  {
    name: 'unpacked tiles',
    definition,
    inputs: [bytes('u8', 17, 33), bytes('i8', 33, 9)],
    attributes: { kernel: 'tiled-unpacked' },
  },
  {
    name: 'unpacked, one row',
    definition,
    inputs: [bytes('i8', 1, 33), bytes('u8', 33, 9)],
    attributes: { kernel: 'vector-unpacked' },
  },
  { name: 'K = 0', definition, inputs: [bytes('i8', 3, 0), bytes('u8', 0, 5), null, bytes('u8', 5)] },
  { name: 'empty', definition, inputs: [bytes('i8', 0, 4), bytes('i8', 4, 5)] },
  { name: 'vectors', definition, inputs: [bytes('i8', 33), bytes('i8', 33)] },
  {
    name: 'five batch dimensions, zero points of each',
    definition,
    inputs: [
      bytes('u8', 2, 1, 2, 1, 2, 3, 5),
      bytes('i8', 2, 1, 2, 1, 5, 6),
      bytes('u8', 2, 1, 2, 1, 2, 3, 1),
      bytes('i8', 2, 1, 1, 1, 1, 6),
    ],
  },
  {
    name: 'beyond the range of i32',
    definition,
    inputs: [
      { ...bytes('u8', 2, 70001), all: 255 },
      { ...bytes('i8', 70001, 4), all: -128 },
      { ...bytes('u8'), all: 0 },
      { ...bytes('i8'), all: 127 },
    ],
  },
  {
    name: 'scaled, bias, residual, relu',
    definition,
    inputs: [
      bytes('i8', 20, 45),
      bytes('i8', 45, 37),
      null,
      null,
      scales(20),
      scales(37),
      { dtype: 'f32', shape: [37] },
      { dtype: 'f32', shape: [20, 37] },
    ],
    attributes: { activation: 'relu' },
  },
  {
    name: 'scaled to f16',
    definition,
    inputs: [
      bytes('u8', 3, 45),
      bytes('i8', 45, 37),
      bytes('u8'),
      null,
      { dtype: 'f16', shape: [], least: 0.01, most: 0.02 },
      scales(37),
    ],
  },
]

const floats = (least: number, most: number, ...shape: number[]): Filled => ({ dtype: 'f32', shape, least, most })

export const LINEAR_QUANTISATION: readonly QuantisedCase[] = [
  { name: 'per tensor', definition: quantizeLinear, inputs: [floats(-2, 2, 3, 7), floats(0.01, 0.02), bytes('u8')] },
  {
    name: 'no zero point, i8, f16 scale',
    definition: quantizeLinear,
    inputs: [
      { dtype: 'f16', shape: [9] },
      { dtype: 'f16', shape: [1], all: 0.01 },
    ],
    attributes: { dtype: 'i8' },
  },
  { name: 'per axis', definition: quantizeLinear, inputs: [floats(-2, 2, 3, 5, 7), floats(0.01, 0.02, 5), bytes('i8', 5)] },
  {
    name: 'blocked',
    definition: quantizeLinear,
    inputs: [floats(-2, 2, 3, 7, 3), floats(0.01, 0.02, 3, 3, 3), bytes('i8', 3, 3, 3)],
    attributes: { blockSize: 3 },
  },
  { name: 'i32', definition: quantizeLinear, inputs: [{ dtype: 'i32', shape: [130], least: -300, most: 300 }, floats(2, 2)] },
  { name: 'empty', definition: quantizeLinear, inputs: [floats(0, 1, 0, 3), floats(1, 1)] },
  { name: 'per tensor', definition: dequantizeLinear, inputs: [bytes('u8', 3, 7), floats(0.01, 0.02), bytes('u8')] },
  {
    name: 'per axis',
    definition: dequantizeLinear,
    inputs: [bytes('i8', 3, 5, 7), floats(0.01, 0.02, 3), bytes('i8', 3)],
    attributes: { axis: 0 },
  },
  {
    name: 'blocked to f16',
    definition: dequantizeLinear,
    inputs: [bytes('i8', 3, 7), { dtype: 'f16', shape: [3, 2] }],
    attributes: { blockSize: 4 },
  },
  { name: 'i32', definition: dequantizeLinear, inputs: [{ dtype: 'i32', shape: [33] }, floats(0.01, 0.02)] },
  { name: 'both signs', definition: dynamicQuantizeLinear, inputs: [floats(-1, 3, 5000)] },
  { name: 'positive', definition: dynamicQuantizeLinear, inputs: [floats(1, 3, 7, 3)] },
  { name: 'zeros', definition: dynamicQuantizeLinear, inputs: [floats(0, 0, 6)] },
]

const small = (...shape: number[]): Filled => floats(0.003, 0.009, ...shape)

export const QLINEAR_MATMUL: readonly QuantisedCase[] = [
  {
    name: 'per tensor',
    definition: qlinearMatmul,
    inputs: [bytes('u8', 5, 33), small(), bytes('u8'), bytes('i8', 33, 24), small(), bytes('i8'), small(1), bytes('u8', 1)],
  },
  {
    name: 'by rows and columns, odd',
    definition: qlinearMatmul,
    inputs: [
      bytes('i8', 20, 33),
      small(20),
      bytes('i8', 20),
      bytes('i8', 33, 7),
      small(7),
      bytes('i8', 7),
      small(20),
      bytes('i8', 20),
    ],
  },
  {
    name: 'a batch of both',
    definition: qlinearMatmul,
    inputs: [
      bytes('i8', 2, 1, 3, 9),
      small(),
      bytes('i8'),
      bytes('u8', 3, 9, 5),
      small(3, 1, 5),
      bytes('u8'),
      small(),
      bytes('u8'),
    ],
  },
]

interface PackedShape {
  readonly rows: readonly number[]
  readonly k: number
  readonly n: number
  readonly bits?: 4 | 8
  readonly block?: number
  readonly dtype?: 'f32' | 'f16'
  readonly zeros?: 'packed' | 'float'
  readonly bias?: boolean
  readonly more?: Readonly<Record<string, unknown>>
}

/** A case of packed weights; every byte is a valid one. */
export function packedCase(name: string, given: PackedShape): QuantisedCase {
  const { rows, k, n, bits = 4, block = 32, dtype = 'f32', zeros, bias = false, more = {} } = given
  const blocks = Math.ceil(k / block)
  const zeroPoints: Filled =
    zeros === 'packed' ? bytes('u8', n * Math.ceil((blocks * bits) / 8)) : { dtype, shape: [n * blocks], least: 0, most: 15 }
  return {
    name,
    definition: matmulNBits,
    inputs: [
      { dtype, shape: [...rows, k] },
      bytes('u8', n, blocks, (block * bits) / 8),
      { dtype, shape: [n * blocks], least: 0.01, most: 0.1 },
      zeros === undefined ? null : zeroPoints,
      bias ? { dtype, shape: [n] } : null,
    ],
    attributes: { K: k, N: n, bits, blockSize: block, ...more },
  }
}

export const MATMUL_NBITS: readonly QuantisedCase[] = [
  packedCase('one row', { rows: [1], k: 128, n: 36 }),
  packedCase('one row, K and N odd', { rows: [1], k: 77, n: 35, zeros: 'packed', bias: true, more: { activation: 'relu' } }),
  packedCase('a few rows, block 16', { rows: [5], k: 50, n: 33, block: 16, zeros: 'float' }),
  packedCase('many rows, block 64', { rows: [3, 7], k: 128, n: 65, block: 64, dtype: 'f16', zeros: 'packed' }),
  packedCase('8 bits', { rows: [17], k: 100, n: 40, bits: 8, zeros: 'packed' }),
  packedCase('activations in bytes', {
    rows: [19],
    k: 77,
    n: 35,
    zeros: 'packed',
    bias: true,
    more: { accuracyLevel: 4, kernel: 'dot' },
  }),
  packedCase('activations in bytes, 8 bits', {
    rows: [3],
    k: 64,
    n: 8,
    bits: 8,
    block: 16,
    more: { accuracyLevel: 4, kernel: 'dot' },
  }),
  packedCase('tiles', { rows: [67], k: 77, n: 70, zeros: 'packed', more: { kernel: 'tiled' } }),
  packedCase('shared depth', { rows: [5], k: 300, n: 13, zeros: 'float', dtype: 'f16', more: { kernel: 'vector' } }),
  {
    ...packedCase('the largest half floats', { rows: [2], k: 64, n: 8 }),
    inputs: [
      { dtype: 'f16', shape: [2, 64], all: 65504 },
      bytes('u8', 8, 2, 16),
      { dtype: 'f16', shape: [16], least: 0.001, most: 0.1 },
    ],
  },
  {
    ...packedCase('infinite activations', { rows: [2], k: 64, n: 8 }),
    inputs: [{ dtype: 'f32', shape: [2, 64], all: Infinity }, bytes('u8', 8, 2, 16), { dtype: 'f32', shape: [16] }],
  },
  packedCase('K = 1', { rows: [4], k: 1, n: 5 }),
  packedCase('K = 0', { rows: [4], k: 0, n: 5, bias: true }),
  packedCase('empty', { rows: [0], k: 32, n: 5 }),
]
