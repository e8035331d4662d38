/**
 * Convolutions at the ends of what numbers and devices hold: the largest halves, NaN and infinities through windows and padding, empty
 * extents, tensors in several segments, grids larger than a dimension.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { segmentBytes, segmentCount } from '../../../src/gpu/program.ts'
import { convInteger } from '../../../src/ops/conv-integer/op.ts'
import { convTranspose2d } from '../../../src/ops/conv-transpose2d/op.ts'
import { conv2d } from '../../../src/ops/conv2d/op.ts'
import type { OpDefinition } from '../../../src/ops/op.ts'
import { parseAttributes } from '../../../src/ops/run.ts'
import type { HostTensor } from '../../../src/tensor/tensor.ts'
import { tensor } from '../../../src/tensor/tensor.ts'
import { inputsOf } from '../../cases/case.ts'
import { check } from '../run-table.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => {
  expect(gpu.memory.liveBytes).toBe(0)
  gpu.dispose()
})

/** Both ops by their algorithms that add and multiply what the definition does. */
const WAYS: readonly (readonly [string, OpDefinition, unknown])[] = [
  ['conv2d, direct', conv2d, 'direct'],
  ['conv2d, implicit GEMM, rows are positions', conv2d, { algorithm: 'implicit-gemm', rows: 'positions' }],
  ['conv2d, implicit GEMM, rows are filters', conv2d, { algorithm: 'implicit-gemm', rows: 'filters' }],
  ['convTranspose2d, phases', convTranspose2d, 'phases'],
  ['convTranspose2d, direct', convTranspose2d, 'direct'],
]

describe('halves', () => {
  /** Rows of the largest half; taps that cancel one another but for one, over three channels. */
  const x = tensor(
    Array.from({ length: 3 * 6 * 6 }, (_, at) => (at % 5 === 0 ? 60000 : 65504)),
    [1, 3, 6, 6],
    'f16',
  )
  const filters = (shape: readonly number[]): HostTensor => {
    const [a = 1, b = 1] = shape
    return tensor(
      Array.from({ length: a * b * 9 }, (_, at) => [1, 1, 0.5, -1, -0.5, 0.25, -1, -0.25, 0.125][at % 9]!),
      shape,
      'f16',
    )
  }

  it.each(WAYS)('%s: sums beyond 65504 come back where the result is below', async (_, definition, algorithm) => {
    const w = definition === conv2d ? filters([5, 3, 3, 3]) : filters([3, 5, 3, 3])
    const inputs = [x, w, null]
    // The largest of these is infinite as a half, the smallest is not.
    const [sums] = definition.reference(inputs, parseAttributes(definition, { padding: 1 }))
    expect(sums!.exact!.some((sum) => Math.abs(sum) > 65520) && sums!.exact!.some((sum) => Math.abs(sum) < 60000)).toBe(true)
    await check(gpu, definition, inputs, { padding: 1, algorithm })
    const small = tensor(
      [-120000, -60000, 0, 60000, 30000].map((value) => value / 2),
      [5],
      'f16',
    )
    await check(gpu, definition, [x, w, small], { padding: 1, algorithm, activation: 'relu' })
  })

  it.each<OpDefinition>([conv2d, convTranspose2d])('are summed in f32 unless asked otherwise: $name', (definition) => {
    const inputs = [x, filters(definition === conv2d ? [5, 3, 3, 3] : [3, 5, 3, 3]), null]
    const sums = (given: object): string[] => {
      const algorithm = definition === conv2d ? 'implicit-gemm' : 'phases'
      const attributes = parseAttributes(definition, { algorithm, ...given })
      const context = { inputs, values: [], attributes }
      const { dispatches } = definition.plan({ ...context, outputs: definition.infer(context), device: gpu.facts })
      return dispatches.flatMap(({ program }) => /alias acc_t = (\w+)/.exec(program.body)?.[1] ?? [])
    }
    expect(new Set(sums({}))).toEqual(new Set(['f32']))
    expect(new Set(sums({ accumulate: 'f16' }))).toEqual(new Set(['f16']))
  })
})

describe('NaN and infinities', () => {
  it.each(WAYS)('%s: reach their windows alone', async (_, definition, algorithm) => {
    const values = Array.from({ length: 2 * 7 * 6 }, (_unused, at) => (at % 9) - 4)
    values[8] = NaN
    values[20] = Infinity
    values[21] = -Infinity
    values[50] = Infinity
    values[83] = 3e38
    const x = tensor(values, [1, 2, 7, 6])
    const shape = definition === conv2d ? [3, 2, 2, 3] : [2, 3, 2, 3]
    const w = tensor(
      Array.from({ length: 36 }, (_unused, at) => (at % 7) - 3 || 1),
      shape,
    )
    const [reference] = definition.reference([x, w, null], parseAttributes(definition, { padding: 1, stride: 2 }))
    const kinds = new Set(Array.from(reference!.exact!, (value) => (Number.isNaN(value) ? 'NaN' : Number.isFinite(value))))
    expect(kinds).toEqual(new Set(['NaN', true, false]))
    await check(gpu, definition, [x, w, null], { padding: 1, stride: 2, algorithm })
    await check(gpu, definition, [x, w, null], { padding: 1, stride: 2, algorithm, activation: 'relu' })
  })

  it.each(WAYS)('%s: an infinite weight over padding is NaN', async (_, definition, algorithm) => {
    const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3])
    const w = tensor([Infinity, 1, 1, -1], [1, 1, 2, 2])
    await check(gpu, definition, [x, w, null], { padding: definition === conv2d ? 1 : 0, algorithm })
  })
})

describe('empty extents', () => {
  it.each([
    ['batch', [0, 3, 4, 4], [3, 5, 3, 3], [5]],
    ['channels', [2, 0, 4, 4], [0, 5, 3, 3], [5]],
    ['filters', [2, 3, 4, 4], [3, 0, 3, 3], [0]],
  ])('%s of a transposed convolution', async (_, x, w, bias) => {
    for (const algorithm of ['phases', 'direct']) {
      await check(gpu, convTranspose2d, inputsOf({ name: '', inputs: [x, w, bias] }, 'f32'), { stride: 2, algorithm })
    }
  })

  it.each([
    ['batch', [0, 3, 4, 4], [5, 3, 3, 3]],
    ['channels', [2, 0, 4, 4], [5, 0, 3, 3]],
    ['filters', [2, 3, 4, 4], [0, 3, 3, 3]],
  ])('%s of a convolution of bytes', async (_, x, w) => {
    await check(gpu, convInteger, inputsOf({ name: '', inputs: [x, w] }, 'i8'), {}, true)
  })
})

describe('a device of small bindings and small grids', () => {
  let small: Gpu
  beforeAll(async () => {
    small = await openGpu({ limits: { maxStorageBufferBindingSize: 8192, maxComputeWorkgroupsPerDimension: 8 } })
  })
  afterAll(() => {
    expect(small.memory.liveBytes).toBe(0)
    small.dispose()
  })

  it.each(WAYS)('%s: X, W and Y in several segments', async (_, definition, algorithm) => {
    const [x, y] = [
      [1, 24, 12, 13],
      [1, 20, 12, 13],
    ]
    const transposed = definition !== conv2d
    const w = transposed ? [24, 20, 3, 3] : [20, 24, 3, 3]
    const inputs = inputsOf({ name: '', inputs: [x, w, null], data: 'integers' }, 'f32')
    for (const shape of [x, w, y])
      expect(segmentCount({ dtype: 'f32', shape }, segmentBytes(small.facts.limits))).toBeGreaterThan(1)
    await check(small, definition, inputs, { padding: 1, algorithm }, true)
  })

  it('bytes', async () => {
    const inputs = inputsOf(
      {
        name: '',
        inputs: [
          [1, 40, 16, 15],
          [24, 40, 3, 3],
        ],
      },
      'u8',
    )
    await check(small, convInteger, inputs, { padding: 1 }, true)
  })
})
