/** MNIST's files. */
import { expect, test } from 'vitest'
import { FileFormatError } from '../../src/errors.ts'
import { decodeIdx, isIdx } from '../../src/formats/idx.ts'

const file = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255)

test('is read with its shape', () => {
  const { dtype, shape, values } = decodeIdx(file)
  expect([dtype, shape, [...values]]).toEqual(['u8', [2, 1, 3], [1, 2, 3, 4, 5, 255]])
})

test.each([
  ['too short', file.subarray(0, -1)],
  ['too long', Uint8Array.of(...file, 0)],
  ['in its head', file.subarray(0, 9)],
  ['of floats', Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 0)],
  ['empty', new Uint8Array()],
])('is refused where it is %s', (_, bytes) => {
  expect(() => decodeIdx(bytes)).toThrow(FileFormatError)
  expect(isIdx(file)).toBe(true)
})
