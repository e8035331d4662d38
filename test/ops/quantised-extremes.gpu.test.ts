/** Quantised products at the ends of what numbers and devices hold: NaN, infinities and huge values; few invocations in a workgroup. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { NBITS_KERNELS } from '../../src/ops/gemm/kernels/nbits.ts'
import { matmulInteger } from '../../src/ops/matmul-integer/op.ts'
import { qlinearMatmul } from '../../src/ops/qlinear-matmul/op.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { bytes, packedCase, scales, valuesOf, type QuantisedCase } from '../cases/quantised.ts'
import { check } from './run-table.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => {
  expect(gpu.memory.liveBytes).toBe(0)
  gpu.dispose()
})

describe('packed weights', () => {
  const [ROWS, K, N] = [20, 70, 12]
  /** Values of one row each at these depths, in a row of zeros to ones. The blocks are of 32. */
  const SPECIAL: readonly (readonly (readonly [k: number, value: number])[])[] = [
    [[3, NaN]],
    [[3, Infinity]],
    [[36, -Infinity]],
    // Signs that meet in one block, and in two.
    [
      [0, Infinity],
      [1, -Infinity],
    ],
    [
      [5, Infinity],
      [69, Infinity],
    ],
    [
      [7, Infinity],
      [8, NaN],
    ],
    [[10, 3e38]],
    [[11, -1e38]],
    [[12, 1e-30]],
  ]

  it.each(NBITS_KERNELS.flatMap((kernel) => ([4, 8] as const).map((bits) => [kernel, bits] as const)))(
    '%s, %d bits: NaN, infinities and huge activations',
    async (kernel, bits) => {
      const entry = packedCase('special', { rows: [ROWS], k: K, n: N, bits, zeros: 'packed' })
      const [, b, , zeros] = valuesOf(entry)
      const a = Array.from({ length: ROWS * K }, (_, at) => ((at * 37) % 101) / 101)
      for (const [row, places] of SPECIAL.entries()) for (const [k, value] of places) a[row * K + k] = value
      const steps = Array.from({ length: N * 3 }, (_, at) => 0.0001 * (1 + (at % 7)))
      const inputs = [tensor(a, [ROWS, K], 'f32'), b ?? null, tensor(steps, [N * 3], 'f32'), zeros ?? null]
      const attributes = { ...entry.attributes, kernel, accuracyLevel: kernel === 'dot' ? 4 : 0 }
      await check(gpu, entry.definition, inputs, attributes)
    },
  )
})

describe('requantised products', () => {
  const one = (value: number): ReturnType<typeof tensor> => tensor([value], [1], 'f32')
  it.each([
    ['a scale that is NaN', NaN, 1, 1, [1, 2, 3]],
    ['scales whose product overflows', 1e30, 1e30, 1, [0, 1, -1]],
    ['an infinite scale', Infinity, 1, 1, [0, 1, -1]],
    ['a scale of the result that is 0', 1, 1, 0, [0, 1, -1]],
  ] as const)('%s', async (_, sa, sb, sy, row) => {
    const byte = (values: readonly number[], shape: readonly number[]): ReturnType<typeof tensor> =>
      tensor([...values], [...shape], 'i8')
    // Four columns as words, three as bytes.
    for (const columns of [4, 3]) {
      const ones = Array.from({ length: columns }, () => 1)
      const zero = byte([0], [1])
      const a = byte(row, [3, 1])
      await check(
        gpu,
        qlinearMatmul,
        [a, one(sa), zero, byte(ones, [1, columns]), one(sb), zero, one(sy), byte([5], [1])],
        {},
        true,
      )
    }
  })
})

describe.each([128, 64])('%d invocations in a workgroup', (maxComputeInvocationsPerWorkgroup) => {
  const cases: readonly QuantisedCase[] = [
    {
      name: 'tiles of bytes',
      definition: matmulInteger,
      inputs: [bytes('u8', 40, 40), bytes('i8', 40, 40), bytes('u8', 40), bytes('i8', 40)],
    },
    {
      name: 'few rows of bytes',
      definition: matmulInteger,
      inputs: [bytes('i8', 3, 40), bytes('i8', 130, 40)],
      attributes: { transB: true },
    },
    {
      name: 'requantised bytes',
      definition: qlinearMatmul,
      inputs: [
        bytes('i8', 40, 40),
        scales(1),
        bytes('i8', 1),
        bytes('i8', 40, 40),
        scales(1),
        bytes('i8', 1),
        scales(1),
        bytes('i8', 1),
      ],
    },
    packedCase('tiles of packed weights', { rows: [67], k: 77, n: 70, more: { kernel: 'tiled' } }),
    packedCase('activations in bytes', { rows: [67], k: 77, n: 70, more: { kernel: 'dot', accuracyLevel: 4 } }),
    packedCase('a few rows of packed weights', { rows: [5], k: 77, n: 70, more: { kernel: 'vector' } }),
  ]
  it('runs every quantised product', async () => {
    using few = await openGpu({ limits: { maxComputeInvocationsPerWorkgroup } })
    for (const entry of cases) await check(few, entry.definition, valuesOf(entry), entry.attributes ?? {})
    expect(few.memory.liveBytes).toBe(0)
  })
})
