/**
 * The families of tiles on the software adapter: awkward shapes, strides, dtypes and epilogues, tensors in segments, shared depths, and
 * accesses as counted.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countAccesses } from '../../../src/gpu/counted.ts'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { familyNamed, forced } from '../../../src/ops/gemm/families.ts'
import { gemm } from '../../../src/ops/gemm/op.ts'
import { productOf } from '../../../src/ops/gemm/plan.ts'
import { normalised } from '../../../src/ops/gemm/product.ts'
import { matmul } from '../../../src/ops/matmul/op.ts'
import type { OpDefinition } from '../../../src/ops/op.ts'
import { parseAttributes, runPlan } from '../../../src/ops/run.ts'
import { tensor } from '../../../src/tensor/tensor.ts'
import { inputsOf, type Case } from '../../cases/case.ts'
import { check } from '../run-table.ts'

const SMALL = { kernel: 'tiled', tileRows: 16, tileColumns: 16, rows: 4, columns: 4, tileDepth: 8, buffers: 2 }
const MIDDLE = { kernel: 'tiled', tileRows: 32, tileColumns: 64, tileDepth: 16, rows: 4, columns: 8, swizzle: 2 }
const LARGE = { kernel: 'tiled', tileRows: 128, tileColumns: 128, tileDepth: 8, rows: 8, columns: 8, buffers: 2, swizzle: 4 }
const BARE = { kernel: 'registers', tileRows: 32, tileColumns: 32, rows: 8, columns: 8 }

interface Run extends Omit<Case, 'name' | 'dtypes'> {
  readonly definition?: OpDefinition
  readonly dtype?: 'f32' | 'f16'
}

/** Product of a shape: A, B and the rest of the inputs. */
function of(a: number[], b: number[], attributes: object = {}, ...rest: (number[] | null)[]): Run {
  return { inputs: [a, b, ...(rest.length === 0 ? [null] : rest)], attributes: { ...attributes } }
}

const exact = (run: Run): Run => ({ ...run, data: 'integers' })
const half = (run: Run): Run => ({ ...run, dtype: 'f16' })
const batched = (run: Run): Run => ({ ...run, inputs: run.inputs.slice(0, 2), definition: matmul })

type Entry = [name: string, kernel: object, ...Run[]]

const RUNS: Entry[] = [
  ['one by one', SMALL, of([13, 37], [37, 71]), of([33, 1], [1, 29]), exact(of([1, 3], [3, 2])), of([3, 0], [0, 5])],
  ['A along, B across', SMALL, exact(of([35, 44], [44, 36])), of([131, 36], [36, 72])],
  [
    'A across, B along',
    LARGE,
    exact(of([40, 260], [136, 40], { transA: 1, transB: 1 })),
    of([12, 132], [4, 12], { transA: 1, transB: 1 }),
  ],
  ['many tiles, special values', LARGE, { ...of([300, 5], [5, 260]), data: 'special' }, exact(of([517, 9], [9, 388]))],
  [
    'an epilogue of everything',
    MIDDLE,
    of([67, 20], [20, 70], { alpha: 0.5, beta: -2, activation: 'gelu' }, [70], [67, 70], [67, 1]),
  ],
  ['halves', MIDDLE, half(of([70, 40], [40, 68], {}, [68])), { ...half(of([30, 8], [8, 72], {}, [72])), data: 'special' }],
  ['sums of halves', { ...MIDDLE, buffers: 2 }, half(of([40, 24], [72, 24], { transB: 1, accumulate: 'f16' }))],
  ['a batch', MIDDLE, batched(of([2, 1, 3, 1, 2, 1, 3, 4], [1, 2, 1, 2, 1, 3, 4, 2])), batched(of([2, 3, 9, 7], [2, 3, 7, 5]))],
  ['registers', BARE, exact(of([35, 44], [44, 36])), of([131, 12], [12, 72])],
  ['registers, one by one', { ...BARE, rows: 4 }, of([13, 37], [37, 71])],
  ['registers, halves', BARE, half(of([12, 36], [40, 12], { transA: 1, transB: 1 }))],
  [
    'a depth in parts',
    { ...SMALL, splits: 3 },
    exact(of([17, 103], [103, 23], { activation: 'relu', beta: 3 }, [17, 23])),
    exact(of([40, 48], [48, 9], {}, [9])),
  ],
  ['a depth in parts, halves', { ...SMALL, splits: 5 }, half(of([20, 200], [200, 28])), half(of([1, 801], [801, 24]))],
  ['a batch in parts', { ...BARE, splits: 2 }, batched(of([3, 9, 70], [3, 70, 10]))],
  [
    'shares',
    { ...SMALL, persistent: 7 },
    exact(of([41, 52], [52, 37], { beta: 2 }, [41, 1])),
    of([41, 0], [0, 37], { beta: 2 }, [41, 1]),
    exact(of([9, 3], [3, 37], { beta: 2 }, [9, 1])),
  ],
  [
    'shares larger than tiles, smaller than tiles',
    { ...SMALL, persistent: 5 },
    exact(of([128, 12], [12, 64])),
    exact(of([8, 480], [480, 8])),
  ],
  [
    'shares of a batch',
    { ...BARE, persistent: 10 },
    batched(of([3, 40, 33], [3, 33, 35])),
    batched(of([2, 1, 3, 1, 2, 1, 3, 4], [1, 2, 1, 2, 1, 3, 4, 2])),
  ],
]

describe('families of tiles', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it.each(RUNS)('%s', async (...[name, kernel, ...runs]: Entry) => {
    for (const { definition = gemm, dtype = 'f32', ...run } of runs) {
      const inputs = inputsOf({ name, ...run }, dtype)
      await check(gpu, definition, inputs, { ...run.attributes, kernel }, run.data === 'integers' && dtype === 'f32')
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('tensors in several segments, grids folded', async () => {
    using small = await openGpu({ limits: { maxStorageBufferBindingSize: 4096, maxComputeWorkgroupsPerDimension: 3 } })
    const run = exact(of([40, 44], [44, 60], {}, [60]))
    for (const kernel of [SMALL, { ...SMALL, splits: 2 }, { ...SMALL, persistent: 3 }]) {
      await check(small, gemm, inputsOf({ name: 'segments', ...run }, 'f32'), { kernel }, true)
    }
  })

  it('epilogues written out, as for GPUs', async () => {
    const inputs = inputsOf({ name: 'GPU', ...exact(of([37, 24], [24, 44], {}, [44])) }, 'f32')
    const attributes = parseAttributes(gemm, {})
    const outputs = gemm.infer({ inputs, values: [], attributes })
    const product = normalised(productOf({ inputs, values: [], attributes, outputs }))
    const [reference] = gemm.reference(inputs, attributes)
    const uploaded = inputs.map((input) => (input === null ? null : gpu.upload(input)))
    for (const kernel of [LARGE, { ...BARE, persistent: 2 }]) {
      const plan = familyNamed(kernel.kernel, 'gemm').plan(product, forced(product, kernel, gpu.facts), {
        ...gpu.facts,
        software: false,
      })
      const [y] = await runPlan(gpu, plan, uploaded, outputs)
      expect(Array.from((await y?.data()) as Float32Array)).toEqual(
        Array.from(reference?.tensor.values as Float32Array, (v) => v + 0),
      )
      y?.dispose()
    }
    for (const tensorOnGpu of uploaded) tensorOnGpu?.dispose()
  })

  it.each([
    ['tiled', SMALL, [35, 44], [44, 37]],
    ['tiled along the depth', MIDDLE, [35, 48], [64, 48]],
    ['tiled in shares', { ...SMALL, persistent: 4 }, [35, 60], [60, 37]],
    ['registers in parts', { ...BARE, rows: 4, splits: 2 }, [35, 64], [64, 37]],
  ] as const)('accesses of %s are as counted', async (_, kernel, a, b) => {
    const transB = a[1] === b[1] ? 1 : 0
    const inputs = [
      { dtype: 'f32', shape: a },
      { dtype: 'f32', shape: b },
    ] as const
    const attributes = parseAttributes(gemm, { transB })
    const outputs = gemm.infer({ inputs, values: [], attributes })
    const product = normalised(productOf({ inputs, values: [], attributes, outputs }))
    const config = forced(product, kernel, gpu.facts)
    const family = familyNamed(kernel.kernel, 'gemm')
    using left = gpu.upload(tensor(new Float32Array(a[0] * a[1]), a))
    using right = gpu.upload(tensor(new Float32Array(b[0] * b[1]), b))
    const counts = await countAccesses(gpu, family.plan(product, config, gpu.facts), [left, right], outputs)
    const sums: Record<string, { loads: number; stores: number }> = {}
    for (const [name, { loads, stores }] of counts.flatMap((count) => Object.entries(count))) {
      const sum = (sums[name] ??= { loads: 0, stores: 0 })
      sum.loads += loads
      sum.stores += stores
    }
    expect(sums).toEqual(family.accesses(product, config, gpu.facts))
  })
})
