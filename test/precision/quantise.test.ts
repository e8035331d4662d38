/** Quantising on the host: round trips within half a step, packing by hand, what is refused. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DtypeError, OptionError, ShapeError } from '../../src/errors.ts'
import { quantizeInt8, scaleOf } from '../../src/precision/int8.ts'
import { quantized, roundHalfEven } from '../../src/precision/integers.ts'
import { quantizeWeights, type PackedWeights } from '../../src/precision/weights.ts'
import { tensor } from '../../src/tensor/tensor.ts'

describe('rounding', () => {
  it.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [-2.5, -2],
    [2.4999, 2],
    [-2.6, -3],
    [Infinity, Infinity],
  ])('%f to %f', (value, expected) => {
    expect(roundHalfEven(value) + 0).toBe(expected)
  })

  it('saturates after the zero point is added, and NaN is the zero point', () => {
    expect([quantized(200, 100, 'u8'), quantized(-200, 100, 'u8'), quantized(-300, 100, 'i8'), quantized(NaN, 3, 'i8')]).toEqual([
      255, 0, -128, 3,
    ])
  })
})

const floats = fc.array(fc.float({ min: -1000, max: 1000, noNaN: true, noDefaultInfinity: true }), { minLength: 12, maxLength: 12 })

describe('quantizeInt8', () => {
  it('is within half a step of every value', () => {
    const options = fc.record({
      symmetric: fc.boolean(),
      dtype: fc.constantFrom('i8' as const, 'u8' as const),
      axis: fc.constantFrom(undefined, 0, 1, -1),
    })
    fc.assert(
      fc.property(floats, options, (data, { axis, ...more }) => {
        const { values, scales, zeroPoints } = quantizeInt8(tensor(data, [3, 4]), axis === undefined ? more : { ...more, axis })
        expect(scales.shape).toEqual(axis === undefined ? [] : [axis === 0 ? 3 : 4])
        for (let i = 0; i < 12; i++) {
          const channel = axis === undefined ? 0 : axis === 0 ? Math.floor(i / 4) : i % 4
          const scale = scales.values[channel] ?? NaN
          const back = scale * ((values.values[i] ?? NaN) - (zeroPoints.values[channel] ?? NaN))
          // Asymmetric, the zero point itself is rounded: the ends of the range may be off by half a step more.
          expect(Math.abs(back - Math.fround(data[i] ?? NaN))).toBeLessThanOrEqual(scale * (more.symmetric ? 0.501 : 1.001))
        }
      }),
      { numRuns: 200, seed: 1 },
    )
  })

  it('keeps 0 exactly and gives zeros a scale of 1', () => {
    const { values, scales, zeroPoints } = quantizeInt8(tensor([0, 5, 1]), { symmetric: false, dtype: 'u8' })
    expect([values.values[0], zeroPoints.values[0]]).toEqual([0, 0])
    expect(scales.values[0]).toBeCloseTo(5 / 255)
    expect(quantizeInt8(tensor([0, 0])).scales.values[0]).toBe(1)
    expect(scaleOf(-1, 3, 'i8', true)).toEqual({ scale: Math.fround(3 / 127), zeroPoint: 0 })
  })

  it('refuses what has no quantised form', () => {
    expect(() => quantizeInt8(tensor([1, NaN]))).toThrow(DtypeError)
    expect(() => quantizeInt8(tensor([1], [1], 'i32'))).toThrow(DtypeError)
    expect(() => quantizeInt8(tensor([1]), { axis: 1 })).toThrow(ShapeError)
  })
})

/** Weight (row, k) of packed weights. */
function weightOf({ packed, scales, zeroPoints, bits, blockSize: block }: PackedWeights, row: number, k: number): number {
  const [, blocks = 0, blob = 0] = packed.shape
  const at = (bytes: Uint8Array, start: number, index: number): number => {
    const byte = bytes[start + Math.floor((index * bits) / 8)] ?? NaN
    return bits === 8 ? byte : (byte >> (4 * (index % 2))) & 15
  }
  const each = row * blocks + Math.floor(k / block)
  const rowBytes = Math.ceil((blocks * bits) / 8)
  const zero = zeroPoints === undefined ? 2 ** (bits - 1) : at(zeroPoints.values, row * rowBytes, Math.floor(k / block))
  return (at(packed.values, each * blob, k % block) - zero) * Number(scales.values[each])
}

describe('quantizeWeights', () => {
  it('packs the first weight into the low half', () => {
    const { packed, scales } = quantizeWeights(tensor([-8, 7, 1, 0], [1, 4]), { blockSize: 16 })
    expect([packed.shape, [...packed.values.subarray(0, 3)], [...scales.values]]).toEqual([[1, 1, 8], [0xf0, 0x89, 0x88], [1]])
  })

  it.each([4, 8] as const)('is within a step of every weight, %d bits', (bits) => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.integer({ min: 1, max: 70 }),
        fc.constantFrom('f32' as const, 'f16' as const),
        fc.integer(),
        (symmetric, depth, dtype, seed) => {
          const data = Array.from({ length: 3 * depth }, (_, i) => Math.sin(i * 12.9898 + seed) * 3)
          const weights = tensor(data, [3, depth], dtype)
          const made = quantizeWeights(weights, { bits, blockSize: 16, symmetric })
          expect(made.packed.shape).toEqual([3, Math.ceil(depth / 16), 2 * bits])
          for (let i = 0; i < 3 * depth; i++) {
            const row = Math.floor(i / depth)
            const scale = Math.abs(Number(made.scales.values[row * Math.ceil(depth / 16) + Math.floor((i % depth) / 16)]))
            const error = Math.abs(weightOf(made, row, i % depth) - Number(weights.values[i]))
            // f16 rounds the scale: its part grows with the distance from zero, at most 2^bits steps.
            expect(error).toBeLessThanOrEqual(scale * (1.001 + (dtype === 'f16' ? 2 ** bits * 2 ** -10 : 0)))
          }
        },
      ),
      { numRuns: 60, seed: 2 },
    )
  })

  it('pads the depth with zeros, and holds zeros exactly', () => {
    const made = quantizeWeights(tensor(new Float32Array(2 * 20), [2, 20]), { blockSize: 16, symmetric: false })
    for (let k = 0; k < 32; k++) expect(weightOf(made, 1, k)).toBe(0)
  })

  it('refuses blocks, bits and shapes that there are not', () => {
    const weights = tensor(new Float32Array(64), [2, 32])
    expect(() => quantizeWeights(weights, { blockSize: 24 })).toThrow(OptionError)
    expect(() => quantizeWeights(weights, { blockSize: 8 })).toThrow(OptionError)
    expect(() => quantizeWeights(tensor(new Float32Array(64)))).toThrow(ShapeError)
    expect(() => quantizeWeights(tensor([Infinity], [1, 1]))).toThrow(DtypeError)
  })
})
