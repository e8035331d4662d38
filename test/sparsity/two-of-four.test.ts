/** The 2:4 format: what is packed comes out again, seats are where the format says, and what does not hold is named. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ShapeError } from '../../src/errors.ts'
import {
  checkTwoOfFour,
  eachKept,
  holdsTwoOfFour,
  packTwoOfFour,
  quantiseTwoOfFour,
  twoOfFourBytes,
  unpackTwoOfFour,
} from '../../src/sparsity/two-of-four.ts'
import { HostTensor, tensor } from '../../src/tensor/tensor.ts'
import { randomFrom } from '../cases/case.ts'
import { prunedMatrix } from '../ops/sparse-matmul/pruned.ts'

it('values and seats lie as the format says', () => {
  // Groups: seats 0 3, 1 2, 0 alone (1 fills up), none (0 1), 2 alone (0 fills up), then a group cut short.
  const packed = packTwoOfFour(tensor([1, 0, 0, 2, 0, 3, 4, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 7], [1, 22]))
  expect([...packed.values.values]).toEqual([1, 2, 3, 4, 5, 0, 0, 0, 0, 6, 0, 7, 0, 0, 0, 0])
  const seats = Array.from({ length: 8 }, (_, group) => ((packed.positions.values[0] ?? 0) >>> (4 * group)) & 15)
  expect(seats.map((nibble) => [nibble & 3, nibble >> 2])).toEqual([
    [0, 3],
    [1, 2],
    [0, 1],
    [0, 1],
    [0, 2],
    [0, 1],
    [0, 1],
    [0, 1],
  ])
})

it.each([
  ['f16', 9 / 16],
  ['i8', 5 / 8],
  ['f32', 17 / 32],
] as const)('%s: %d of the bytes of the dense matrix', (dtype, ratio) => {
  const whole = (): number => 1
  const dense = prunedMatrix(8, 64, whole)
  const packed = packTwoOfFour(tensor([...dense.values], [8, 64], dtype))
  expect(twoOfFourBytes(packed) / (8 * 64 * { f32: 4, f16: 2, i8: 1 }[dtype])).toBe(ratio)
})

it('4 bits take 3/4 of the bytes of dense nibbles, and their scales', () => {
  const packed = quantiseTwoOfFour(packTwoOfFour(prunedMatrix(8, 64, () => 1)), { bits: 4 })
  expect(twoOfFourBytes(packed) - 4 * 8).toBe((3 / 4) * 8 * 32)
})

it('packed and unpacked is the same, for any size, share and dtype', () => {
  fc.assert(
    fc.property(
      fc.nat(20),
      fc.nat(90),
      fc.constantFrom(1, 4, 8),
      fc.constantFrom('f32' as const, 'f16' as const, 'i8' as const),
      fc.nat(1000),
      (lines, depth, share, dtype, seed) => {
        const random = randomFrom(seed + 1)
        const dense = prunedMatrix(lines, depth, () => Math.floor(random() * 200) - 100, share)
        const given = tensor([...dense.values], [lines, depth], dtype)
        const packed = packTwoOfFour(given, { share })
        expect(packed.positions.shape).toEqual([Math.ceil(lines / share), Math.ceil(depth / 32)])
        for (const word of packed.positions.values) {
          for (let group = 0; group < 8; group++) expect((word >>> (4 * group)) & 3).toBeLessThan((word >>> (4 * group + 2)) & 3)
        }
        const back = unpackTwoOfFour(packed)
        expect(back.dtype).toBe(dtype)
        expect([...back.values].map((value) => value + 0)).toEqual([...given.values].map((value) => Number(value) + 0))
      },
    ),
    { numRuns: 200 },
  )
})

it('NaN and infinities take seats, -0 does not', () => {
  const packed = packTwoOfFour(tensor([NaN, -0, Infinity, -0], [1, 4]))
  expect([...unpackTwoOfFour(packed).values]).toEqual([NaN, 0, Infinity, 0])
})

it.each([
  [[1, 1, 1, 0], 1, 'Row 1, group 0 (k 0 to 3): 3 non-zeros'],
  [[0, 0, 0, 0, 1, 2, 3, 4], 1, 'Row 1, group 1 (k 4 to 7): 4 non-zeros'],
])('a group of %j is named', (row, _share, message) => {
  const matrix = tensor([...row.map(() => 0), ...row], [2, row.length])
  expect(() => checkTwoOfFour(matrix)).toThrow(ShapeError)
  expect(() => packTwoOfFour(matrix)).toThrow(message)
  expect(holdsTwoOfFour(matrix)).toBe(false)
})

it('lines that share their seats must have them in common', () => {
  const matrix = tensor([1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [4, 4])
  expect(holdsTwoOfFour(matrix)).toBe(true)
  expect(() => checkTwoOfFour(matrix, 4)).toThrow('Rows 0 to 3, group 0 (k 0 to 3): 4 non-zeros')
  expect(() => packTwoOfFour(matrix, { share: 3 })).toThrow('3 lines cannot share positions')
})

it('what is no matrix of values is refused', () => {
  expect(() => packTwoOfFour(tensor([1, 2], [2]))).toThrow('matrices [lines, depth]')
  expect(() => packTwoOfFour(tensor([1, 2], [1, 2], 'i32'))).toThrow('not i32')
})

it.each([
  [8, undefined],
  [8, 32],
  [4, 64],
  [4, undefined],
] as const)('%i bits, block %s: off by half a step at most', (bits, block) => {
  const random = randomFrom(7)
  const dense = prunedMatrix(9, 150, () => random() * 2 - 1)
  const packed = quantiseTwoOfFour(packTwoOfFour(dense), { bits, ...(block === undefined ? {} : { block }) })
  const { scales, block: own = NaN } = packed
  const blocks = Math.ceil(150 / own)
  expect(scales?.shape).toEqual([9, blocks])
  let seen = 0
  eachKept(packed, (line, k, value) => {
    const step = scales?.values[line * blocks + Math.floor(k / own)] ?? NaN
    expect(Math.abs(value - (dense.values[line * 150 + k] ?? NaN))).toBeLessThanOrEqual(step * 0.5001)
    if (value !== 0) seen++
  })
  expect(seen).toBeGreaterThan(300)
})

it('rounding to integers says what it cannot do', () => {
  const packed = packTwoOfFour(new HostTensor('f32', [1, 4], Float32Array.of(NaN, 0, 0, 1)))
  expect(() => quantiseTwoOfFour(packed, { bits: 8 })).toThrow('Value 0 of row 0 is not finite')
  const whole = packTwoOfFour(tensor([1, 0, 0, 1], [1, 4], 'i8'))
  expect(() => quantiseTwoOfFour(whole, { bits: 4 })).toThrow('integers of 8 bits already')
  expect(() => quantiseTwoOfFour(packTwoOfFour(prunedMatrix(1, 64, () => 1)), { bits: 8, block: 20 })).toThrow('block of 20')
})
