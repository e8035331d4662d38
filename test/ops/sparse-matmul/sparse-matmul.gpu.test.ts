/** Products with weights in 2:4 on the device, against the dense product of the same weights. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openGpu, type Gpu } from '../../../src/node.ts'
import { linear, sparseMatmul } from '../../../src/ops/index.ts'
import { packTwoOfFour, quantiseTwoOfFour, unpackTwoOfFour } from '../../../src/sparsity/two-of-four.ts'
import { tensor } from '../../../src/tensor/tensor.ts'
import { randomFrom } from '../../cases/case.ts'
import { prunedMatrix } from './pruned.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

it.each([
  [1, 1, 1],
  [1, 64, 256],
  [3, 7, 10],
  [5, 33, 37],
  [7, 130, 100],
  [16, 48, 67],
  [37, 71, 129],
])('rows %i, columns %i, depth %i: bit-identical on whole numbers', async (rows, columns, depth) => {
  const random = randomFrom(rows + columns + depth)
  const whole = (): number => Math.floor(random() * 9) - 4
  const x = tensor(Float32Array.from({ length: rows * depth }, whole), [rows, depth])
  const bias = tensor(Float32Array.from({ length: columns }, whole), [columns])
  const w = prunedMatrix(columns, depth, whole)
  const packed = packTwoOfFour(w)
  const dense = await (await linear(gpu, x, w, { bias, activation: 'relu' })).data()
  for (const kernel of [undefined, 'vector', 'two-of-four', { kernel: 'two-of-four', gather: 'select', along: 2 }]) {
    if (kernel === 'vector' && rows > 16) continue
    const y = await sparseMatmul(gpu, x, packed, { bias, activation: 'relu', ...(kernel === undefined ? {} : { kernel }) })
    expect(await y.data(), kernel).toEqual(dense)
  }
  const scales = { bits: 8 } as const
  for (const quantised of [quantiseTwoOfFour(packed, scales), quantiseTwoOfFour(packed, { bits: 4, block: 32 })]) {
    const y = await (await sparseMatmul(gpu, x, quantised)).data()
    const z = await (await linear(gpu, x, unpackTwoOfFour(quantised))).data()
    expect(y.length).toBe(rows * columns)
    y.forEach((value, at) => expect(Math.abs(Number(value) - Number(z[at]))).toBeLessThan(1e-3))
  }
})
