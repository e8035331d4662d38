/**
 * Products at the ends of what numbers and devices hold, under every kernel family: halves up to 65504, NaN and infinities, deep sums,
 * more workgroups than one dimension of a grid has, tensors in several segments.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { familyNamed } from '../../../src/ops/gemm/families.ts'
import type { Config } from '../../../src/ops/gemm/family.ts'
import { gemm } from '../../../src/ops/gemm/op.ts'
import { matmul } from '../../../src/ops/matmul/op.ts'
import { parseAttributes, runOp } from '../../../src/ops/run.ts'
import { tensor, type HostTensor } from '../../../src/tensor/tensor.ts'
import { inputsOf } from '../../cases/case.ts'
import { check } from '../run-table.ts'
import { configsFor, productOfCall } from './families.ts'

/** The largest half. From 65520 on, half way to the next power of two, numbers round to infinity. */
const MOST = 65504

/** Terms of a sum and what the sum is: partial sums go far beyond a half. */
const SUMS: readonly (readonly [terms: readonly number[], exact: number, half: number])[] = [
  [[MOST], MOST, MOST],
  [[MOST, MOST], 2 * MOST, Infinity],
  [[MOST, MOST, MOST, -MOST, -MOST], MOST, MOST],
  [[-MOST, -MOST, MOST], -MOST, -MOST],
  [[MOST, 15], 65519, MOST],
  [[MOST, 16], 65520, Infinity],
  [[-MOST, -16], -65520, -Infinity],
  [[MOST, -16], 65488, 65472],
  [[MOST, -17], 65487, 65472],
  [[2048, 1], 2049, 2048],
  [[2048, 3], 2051, 2052],
  [[...times(16, MOST), ...times(16, -MOST)], 0, 0],
  [times(32, -MOST), -32 * MOST, -Infinity],
  [[2 ** -24], 2 ** -24, 2 ** -24],
  [[2 ** -14, 2 ** -24], 2 ** -14 + 2 ** -24, 2 ** -14 + 2 ** -24],
  [[0], 0, 0],
]
const DEPTH = 32
const COLUMNS = 20

function times(count: number, value: number): number[] {
  return Array.from({ length: count }, () => value)
}

async function values(gpu: Gpu, inputs: readonly HostTensor[], attributes: unknown): Promise<number[]> {
  const [y] = await runOp(gpu, gemm, inputs, attributes)
  if (y === undefined) throw new Error('no result')
  const data = Array.from(await y.data(), Number)
  y.dispose()
  return data
}

describe('extremes', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => {
    expect(gpu.memory.liveBytes).toBe(0)
    gpu.dispose()
  })

  /** Sums as the rows of A, with alternating signs as the columns of B. */
  function halves(): HostTensor[] {
    const a = SUMS.flatMap(([terms]) => Array.from({ length: DEPTH }, (_, k) => terms[k] ?? 0))
    const b = Array.from({ length: DEPTH * COLUMNS }, (_, at) => ((at % COLUMNS) % 2 === 0 ? 1 : -1))
    return [tensor(a, [SUMS.length, DEPTH], 'f16'), tensor(b, [DEPTH, COLUMNS], 'f16')]
  }

  it.each(['f32', 'f16'] as const)('halves up to 65504 into %s', async (output) => {
    const inputs = halves()
    const configs = configsFor(gpu.facts, gemm, inputs, { output })
    expect(configs.length).toBeGreaterThan(2)
    for (const config of configs) {
      const y = await values(gpu, inputs, { output, kernel: { ...config } })
      expect(y).toHaveLength(SUMS.length * COLUMNS)
      for (const [row, [, exact, half]] of SUMS.entries()) {
        const sum = output === 'f32' ? exact : half
        for (const column of [0, 1, COLUMNS - 1]) {
          const [found, wanted] = [y[row * COLUMNS + column] ?? NaN, column % 2 === 0 ? sum : -sum]
          // The sign of a 0 is not told.
          expect([config.kernel, row, column, found + 0]).toEqual([config.kernel, row, column, wanted + 0])
        }
      }
    }
  })

  it('NaN, infinities, −0 and large numbers reach the results that they must, and no others', async () => {
    const inputs = inputsOf({ name: '', inputs: [[13, 22], [22, 21], [21], null], data: 'special' }, 'f32')
    const attributes = { alpha: 2, activation: 'tanh' }
    for (const config of configsFor(gpu.facts, gemm, inputs, attributes)) {
      await check(gpu, gemm, inputs, { ...attributes, kernel: { ...config } })
    }
  })

  it('half sums of 4096 products: max|Δ| / max|reference| ≤ 1e-3', async () => {
    const inputs = inputsOf(
      {
        name: '',
        inputs: [
          [13, 4096],
          [4096, 24],
        ],
      },
      'f16',
    )
    const [reference] = gemm.reference(inputs, parseAttributes(gemm, {}))
    const exact = Array.from(reference?.exact ?? [])
    const largest = Math.max(...exact.map(Math.abs))
    const configs = configsFor(gpu.facts, gemm, inputs, {})
    expect(configs.length).toBeGreaterThan(2)
    for (const config of configs) {
      const y = await values(
        gpu,
        inputs.filter((input) => input !== null),
        { kernel: { ...config } },
      )
      expect(y).toHaveLength(13 * 24)
      const error = Math.max(...y.map((value, at) => Math.abs(value - (exact[at] ?? NaN)))) / largest
      expect(error, config.kernel).toBeLessThanOrEqual(1e-3)
    }
  })

  it('more workgroups than a dimension of the grid has', async () => {
    const slices = gpu.facts.limits.maxComputeWorkgroupsPerDimension + 7
    const inputs = inputsOf(
      {
        name: '',
        inputs: [
          [slices, 2, 2],
          [slices, 2, 3],
        ],
        data: 'integers',
      },
      'f32',
    )
    const configs = configsFor(gpu.facts, matmul, inputs, {})
    expect(configs.length).toBeGreaterThan(2)
    for (const config of configs) {
      const product = productOfCall(matmul, inputs, {})
      const plan = familyNamed(config.kernel, 'matmul').plan(product, config, gpu.facts)
      expect(Math.max(...plan.dispatches.map(({ groups }) => groups)), config.kernel).toBeGreaterThanOrEqual(slices)
      await check(gpu, matmul, inputs, { kernel: { ...config } }, true)
    }
  })

  it('tensors in several segments, where bindings are small', async () => {
    using small = await openGpu({ limits: { maxStorageBufferBindingSize: 65536 } })
    const ran: string[] = []
    // All three in two segments, cut in the middle of a row; then a few long rows and a B of three.
    for (const [i, j, k] of [
      [130, 132, 160],
      [4, 8, 5000],
    ] as const) {
      const inputs = inputsOf(
        {
          name: '',
          inputs: [
            [i, k],
            [k, j],
          ],
          data: 'integers',
        },
        'f32',
      )
      const tried = configsFor(small.facts, gemm, inputs, {}).filter(({ kernel }: Config) => !ran.includes(kernel))
      for (const config of tried) {
        await check(small, gemm, inputs, { kernel: { ...config } }, true)
        ran.push(config.kernel)
      }
    }
    expect(ran).toEqual(expect.arrayContaining(['broadcast', 'tiled', 'vector']))
    expect(small.memory.liveBytes).toBe(0)
  })
})
