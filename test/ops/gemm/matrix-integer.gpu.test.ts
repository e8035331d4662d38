/** Products of bytes by matrix units on the software adapter, bit for bit: odd sizes, zero points, scales, requantised, batches. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { matmulInteger } from '../../../src/ops/matmul-integer/op.ts'
import { bytes, QLINEAR_MATMUL, scales, valuesOf, type QuantisedCase } from '../../cases/quantised.ts'
import { check } from '../run-table.ts'

describe('products of bytes by matrix units', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())
  beforeEach((context) => {
    const isThere = gpu.facts.matrices?.some(({ component, result }) => component === 'i8' && result === 'i32') === true
    if (!isThere) context.skip('the device lists no matrix unit of i8 into i32')
  })

  const cases: readonly (readonly [string, QuantisedCase['inputs'], object])[] = [
    ['i8, odd sizes', [bytes('i8', 37, 53), bytes('i8', 53, 41)], {}],
    ['i8, whole words', [bytes('i8', 32, 64), bytes('i8', 64, 32)], {}],
    ['i8, K = 1', [bytes('i8', 19, 1), bytes('i8', 1, 5)], {}],
    ['i8, K = 0', [bytes('i8', 3, 0), bytes('i8', 0, 5)], {}],
    ['i8, batches', [bytes('i8', 3, 1, 9, 21), bytes('i8', 2, 21, 18)], {}],
    ['u8 and i8 with zero points', [bytes('u8', 35, 29), bytes('i8', 29, 22), bytes('u8', 35), bytes('i8', 22)], {}],
    ['transposed', [bytes('u8', 20, 67), bytes('u8', 33, 67), bytes('u8'), null], { transB: true }],
    [
      'scaled',
      [bytes('u8', 18, 30), bytes('i8', 30, 20), bytes('u8'), null, scales(18), scales(20), { dtype: 'f32', shape: [20] }],
      { activation: 'relu' },
    ],
  ]
  it.each(cases)('%s', async (name, inputs, attributes) => {
    const entry: QuantisedCase = { name, definition: matmulInteger, inputs, attributes: { ...attributes, kernel: 'matrix' } }
    await check(gpu, matmulInteger, valuesOf(entry), entry.attributes)
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('requantised', async () => {
    const [entry] = QLINEAR_MATMUL
    if (entry === undefined) throw new Error('No case of qlinearMatmul')
    await check(gpu, entry.definition, valuesOf(entry), { ...entry.attributes, kernel: 'matrix' })
  })
})
