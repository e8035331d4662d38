/** Host tensors: making them, their dtypes, broadcasting. */
import { describe, expect, test } from 'vitest'
import { DtypeError, ShapeError } from '../../src/errors.ts'
import { byteSize, DTYPES, fromBytes } from '../../src/tensor/dtype.ts'
import { float16Array, halfBits } from '../../src/tensor/half.ts'
import { broadcastShapes, broadcastStrides, normalizeAxis, stridesOf } from '../../src/tensor/shape.ts'
import { HostTensor, tensor } from '../../src/tensor/tensor.ts'

describe('tensor', () => {
  test('takes its dtype from the data', () => {
    expect(tensor([1, 2, 3]).dtype).toBe('f32')
    expect(tensor(new Int8Array(2)).dtype).toBe('i8')
    expect(tensor([1n, 2n]).dtype).toBe('i64')
    expect(tensor([true, false]).dtype).toBe('bool')
    expect(tensor(new Uint16Array([0x3c00])).dtype).toBe('f16')
  })

  test('f16 from numbers and from raw bits index to numbers', () => {
    expect([...tensor([1.5, 65504, 1e9, -0], [4], 'f16').values]).toEqual([1.5, 65504, Infinity, -0])
    expect([...tensor(new Uint16Array([0x3c00, 0xc000]), [2], 'f16').values]).toEqual([1, -2])
    const odd = new Uint16Array(new Uint8Array([0, 0x3c, 0, 0xc0]).buffer)
    expect([...tensor(odd, [2]).values]).toEqual([1, -2])
  })

  test('shares typed arrays of its kind', () => {
    const data = new Float32Array([1, 2])
    expect(tensor(data).values).toBe(data)
  })

  test('scalars and empty shapes', () => {
    expect(tensor([7], []).shape).toEqual([])
    expect(tensor([], [0, 3]).values.length).toBe(0)
  })

  test('refuses by name', () => {
    expect(() => tensor([1, 2, 3], [2, 2])).toThrow(ShapeError)
    expect(() => tensor([1], [-1])).toThrow(ShapeError)
    expect(() => tensor([1.5], [1], 'i64')).toThrow(DtypeError)
    expect(() => tensor([NaN], [1], 'i64')).toThrow(DtypeError)
    expect(() => tensor([128], [1], 'i8')).toThrow(/-128 to 127/)
    expect(() => tensor([-1], [1], 'u32')).toThrow(DtypeError)
    expect(() => tensor([1.5], [1], 'u8')).toThrow(DtypeError)
    expect(() => tensor([2n ** 63n], [1], 'i64')).toThrow(DtypeError)
  })

  test('a lazy tensor makes its values when they are read', () => {
    let made = 0
    const lazy = new HostTensor('f32', [2], () => {
      made++
      return new Float32Array([1, 2])
    })
    expect(made).toBe(0)
    expect([...lazy.values]).toEqual([1, 2])
    expect(made).toBe(1)
  })
})

describe('bytes', () => {
  test.each(DTYPES)('%s from misaligned bytes, of a Buffer too', (dtype) => {
    const size = byteSize(dtype)
    for (const make of [(n: number) => new Uint8Array(n), (n: number) => Buffer.alloc(n)]) {
      const bytes = make(1 + 3 * size).subarray(1)
      bytes[0] = 1
      const values = fromBytes(dtype, bytes)
      expect(values.length).toBe(3)
      expect(Number(values[1])).toBe(0)
      expect(values[0] === 0 || values[0] === 0n).toBe(false)
    }
  })

  test('half bits share memory', () => {
    const halves = float16Array(1)
    halves[0] = 1
    expect(halfBits(halves)[0]).toBe(0x3c00)
  })
})

describe('shapes', () => {
  test('broadcast as NumPy does', () => {
    expect(broadcastShapes([8, 1, 6, 1], [7, 1, 5])).toEqual([8, 7, 6, 5])
    expect(broadcastShapes([], [3])).toEqual([3])
    expect(broadcastShapes([0], [1])).toEqual([0])
    expect(() => broadcastShapes([2], [3])).toThrow(ShapeError)
    expect(() => broadcastShapes([0], [2])).toThrow(ShapeError)
    expect(broadcastStrides([3, 1], [2, 3, 4])).toEqual([0, 1, 0])
  })

  test('strides and axes', () => {
    expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1])
    expect(normalizeAxis(-1, 3)).toBe(2)
    expect(() => normalizeAxis(3, 3)).toThrow(ShapeError)
  })
})
