/** Random products of bytes and of packed weights, with every kernel: sums bit for bit, floats within their bound. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { INTEGER_KERNELS } from '../../src/ops/gemm/kernels/packed-dot.ts'
import { NBITS_KERNELS } from '../../src/ops/gemm/kernels/nbits.ts'
import { bytes, packedCase, QLINEAR_MATMUL, scales, valuesOf, type Filled, type QuantisedCase } from '../cases/quantised.ts'
import { matmulInteger } from '../../src/ops/matmul-integer/op.ts'
import { check } from './run-table.ts'

/** Few configurations, since each is a pipeline or more, with several sizes each. */
const SEED = 20260101
const SIZES = 3

/** Sizes around the edges of tiles and words as often as small ones. */
const size = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(15, 16, 17, 31, 63, 64, 65, 67))
const byte = fc.constantFrom('i8' as const, 'u8' as const)
const zero = fc.constantFrom('none', 'one', 'each')

const integerSizes = fc.record({
  rows: size,
  columns: size,
  depth: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(127, 128, 129)),
  batch: fc.constantFrom<[number[], number[]]>([[], []], [[3], []], [[2], [2]], [[2, 1], [3]]),
})

const integerCases = fc
  .record({
    a: byte,
    b: byte,
    aZero: zero,
    bZero: zero,
    transB: fc.boolean(),
    scaled: fc.boolean(),
    kernel: fc.constantFrom(undefined, ...INTEGER_KERNELS.filter((name) => name !== 'matrix')),
    sizes: fc.array(integerSizes, { minLength: SIZES, maxLength: SIZES }),
  })
  .map(({ a, b, aZero, bZero, transB, scaled, kernel, sizes }): QuantisedCase[] => {
    const zeroOf = (kind: string, dtype: 'i8' | 'u8', extent: number): Filled | null =>
      kind === 'none' ? null : kind === 'one' ? bytes(dtype) : bytes(dtype, extent)
    return sizes.map(({ rows, columns, depth, batch }) => ({
      name: 'random',
      definition: matmulInteger,
      inputs: [
        bytes(a, ...batch[0], rows, depth),
        bytes(b, ...batch[1], ...(transB ? [columns, depth] : [depth, columns])),
        zeroOf(aZero, a, rows),
        zeroOf(bZero, b, columns),
        ...(scaled ? [scales(rows), scales(columns), { dtype: 'f32', shape: [columns] } as const] : []),
      ],
      attributes: { transB, ...(kernel === undefined ? {} : { kernel }) },
    }))
  })

const packedSizes = fc.record({
  rows: fc.tuple(fc.integer({ min: 1, max: 3 }), size),
  n: size,
  k: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(127, 128, 129)),
  block: fc.constantFrom(16, 32, 64, 128),
})

const packedCases = fc
  .record({
    bits: fc.constantFrom<4 | 8>(4, 8),
    dtype: fc.constantFrom('f32' as const, 'f16' as const),
    zeros: fc.constantFrom<(undefined | 'packed' | 'float')[]>(undefined, 'packed', 'float'),
    bias: fc.boolean(),
    kernel: fc.constantFrom(undefined, ...NBITS_KERNELS),
    sizes: fc.array(packedSizes, { minLength: SIZES, maxLength: SIZES }),
  })
  .map(({ bits, dtype, zeros, bias, kernel, sizes }) =>
    sizes.map((each) =>
      packedCase('random', {
        ...each,
        bits,
        dtype,
        bias,
        ...(zeros === undefined ? {} : { zeros }),
        ...(kernel === undefined ? {} : { more: { kernel, accuracyLevel: kernel === 'dot' ? 4 : 0 } }),
      }),
    ),
  )

describe('random products', () => {
  let gpu: Gpu
  /** As `gpu`, but no binding holds more than 1 KiB: operands lie in several segments. */
  let narrow: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
    narrow = await openGpu({ limits: { maxStorageBufferBindingSize: 1024 } })
  })
  afterAll(() => {
    gpu.dispose()
    narrow.dispose()
  })

  it.each([
    ['of bytes', integerCases, 7],
    ['of packed weights', packedCases, 4],
  ] as const)('%s', async (_, cases, numRuns) => {
    let compared = 0
    await fc.assert(
      fc.asyncProperty(cases, fc.integer({ min: 1, max: 99 }), async (entries, seed) => {
        for (const entry of entries) {
          await check(gpu, entry.definition, valuesOf(entry, seed), entry.attributes ?? {})
          compared++
        }
      }),
      { numRuns, seed: SEED },
    )
    expect(compared).toBe(numRuns * SIZES)
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it.each(QLINEAR_MATMUL.map((entry) => [entry.name, entry] as const))('with few bindings: %s', async (_, entry) => {
    using few = await openGpu({ limits: { maxStorageBuffersPerShaderStage: 7 } })
    await check(few, entry.definition, valuesOf(entry), entry.attributes ?? {})
    expect(few.memory.liveBytes).toBe(0)
  })

  const segmented: readonly QuantisedCase[] = [
    {
      name: 'bytes, odd rows',
      definition: matmulInteger,
      inputs: [bytes('u8', 35, 61), bytes('i8', 61, 35), bytes('u8'), null],
    },
    packedCase('packed weights', { rows: [18], k: 96, n: 36 }),
  ]
  it.each(segmented.map((entry) => [entry.name, entry] as const))('in several segments: %s', async (_, entry) => {
    await check(narrow, entry.definition, valuesOf(entry), entry.attributes ?? {})
    expect(narrow.memory.liveBytes).toBe(0)
  })
})
