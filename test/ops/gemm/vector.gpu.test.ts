/** Products of few rows by the vector family: every way in which lanes lie and sums meet, against the reference. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countAccesses } from '../../../src/gpu/counted.ts'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { forced } from '../../../src/ops/gemm/families.ts'
import { vector } from '../../../src/ops/gemm/kernels/vector.ts'
import { gemm } from '../../../src/ops/gemm/op.ts'
import { productOf } from '../../../src/ops/gemm/plan.ts'
import { normalised } from '../../../src/ops/gemm/product.ts'
import { matmul } from '../../../src/ops/matmul/op.ts'
import type { OpDefinition } from '../../../src/ops/op.ts'
import { parseAttributes, runOp } from '../../../src/ops/run.ts'
import type { DType } from '../../../src/tensor/dtype.ts'
import { tensor } from '../../../src/tensor/tensor.ts'
import { inputsOf, type Case } from '../../cases/case.ts'
import { check } from '../run-table.ts'

/** How lanes lie and sums meet. */
const ALONE = { kernel: 'vector', along: 1 }
const MEMORY = { kernel: 'vector', across: 4, along: 16, strips: 2 }
const SUBGROUP = { kernel: 'vector', across: 2, along: 4, subgroups: true }
const BOTH = { kernel: 'vector', across: 4, along: 32, subgroups: true }
const PARTS = { ...SUBGROUP, along: 8, parts: 3 }

type Run = Omit<Case, 'name'> & { readonly definition?: OpDefinition; readonly dtype?: DType }

const of = (...inputs: Case['inputs']): Run => ({ inputs })
const turned = (rows: number, depth: number, columns: number, more: Partial<Run> = {}): Run => ({
  inputs: [[rows, depth], [columns, depth], null],
  ...more,
  attributes: { transB: 1, ...more.attributes },
})
const half = (run: Run): Run => ({ ...run, dtype: 'f16' })
const exact = (run: Run): Run => ({ ...run, data: 'integers' })
const batched = (run: Run): Run => ({ ...run, definition: matmul })

const RUNS: readonly (readonly [string, { readonly kernel: string }, ...Run[]])[] = [
  ['one value', ALONE, of([1, 1], [1, 1])],
  ['a row across', MEMORY, exact(of([1, 1009], [1009, 67])), exact(of([1, 1008], [1008, 68]))],
  ['a row across, halves', MEMORY, half(of([1, 403], [403, 28]))],
  ['a row along, in a subgroup', SUBGROUP, exact(turned(1, 260, 37)), turned(1, 131, 5)],
  ['a row along, in subgroups and memory', BOTH, exact(turned(1, 1028, 37)), half(turned(1, 260, 36))],
  ['a row across, in subgroups and memory', BOTH, exact(of([1, 1028], [1028, 52]))],
  ['a column', SUBGROUP, exact(of([131, 76], [76, 1])), exact({ ...of([77, 131], [77, 1]), attributes: { transA: 1 } })],
  ['a dot product', MEMORY, exact(of([1, 4099], [4099, 1]))],
  ['rows that fill no power of two', MEMORY, exact(of([3, 37], [37, 71])), exact(turned(13, 64, 20))],
  ['16 rows', ALONE, exact(of([16, 64], [64, 36])), half(turned(16, 33, 9))],
  ['A transposed', ALONE, exact({ ...of([40, 4], [40, 24]), attributes: { transA: 1 } })],
  ['the depth in parts', PARTS, exact(of([5, 129], [129, 68])), exact(turned(2, 96, 10)), half(of([1, 128], [128, 64]))],
  ['K = 1', MEMORY, exact(of([1, 1], [1, 29])), exact(turned(4, 1, 8))],
  ['K = 0 is C', SUBGROUP, exact({ ...of([3, 0], [0, 5], [3, 5]), attributes: { beta: 2 } })],
  ['nothing', SUBGROUP, of([1, 7], [7, 0])],
  [
    'a batch',
    MEMORY,
    batched(exact(of([3, 2, 21], [3, 21, 10]))),
    batched(exact(of([2, 1, 3, 1, 2, 1, 3, 4], [1, 2, 1, 2, 1, 3, 4, 8]))),
  ],
  ['a batch in parts', PARTS, batched(exact(of([2, 1, 3, 1, 2, 1, 3, 25], [1, 2, 1, 2, 1, 3, 25, 8])))],
  [
    'an epilogue',
    BOTH,
    {
      inputs: [[3, 36], [20, 36], [20], [3, 20], [3, 1]],
      attributes: { transB: 1, alpha: 0.5, beta: -0.25, activation: 'gelu' },
    },
  ],
  [
    'an epilogue after parts',
    PARTS,
    { inputs: [[3, 36], [36, 20], [3, 1], [3, 20], [20]], attributes: { alpha: 2, activation: 'silu' } },
  ],
  ['special values', MEMORY, { ...of([4, 5], [5, 21], [21]), data: 'special' }, half({ ...of([4, 5], [5, 21]), data: 'special' })],
  ['sums of halves', SUBGROUP, half({ ...of([2, 40], [40, 12]), attributes: { accumulate: 'f16' } })],
]

describe('vector', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it.each(RUNS.map(([name, kernel, ...runs]) => ({ name, kernel, runs })))('$name', async ({ name, kernel, runs }) => {
    expect(runs.length).toBeGreaterThan(0)
    for (const { definition = gemm, dtype = 'f32', ...run } of runs) {
      const inputs = inputsOf({ name, ...run }, dtype)
      await check(gpu, definition, inputs, { ...run.attributes, kernel }, run.data === 'integers' && dtype === 'f32')
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('halves beyond their range are infinite only in an f16 result', async () => {
    const full = (count: number, value: number, shape: number[]) =>
      inputsOf({ name: '', inputs: [shape], data: 'integers' }, 'f16').map((input) => {
        input?.values.fill(value as never)
        expect(input?.values.length).toBe(count)
        return input
      })
    const inputs = [...full(256, 65504, [1, 256]), ...full(1024, 1, [256, 4])]
    for (const [output, expected] of [
      ['f32', 65504 * 256],
      ['f16', Infinity],
    ] as const) {
      const [y] = await runOp(gpu, gemm, inputs, { kernel: MEMORY, output })
      expect(Array.from((await y?.data()) ?? [], Number)).toEqual([expected, expected, expected, expected])
      y?.dispose()
    }
  })

  it('tensors in several segments, more workgroups than a grid is wide', async () => {
    using small = await openGpu({ limits: { maxStorageBufferBindingSize: 8192, maxComputeWorkgroupsPerDimension: 3 } })
    for (const run of [exact(of([1, 96], [96, 60], [60])), exact(turned(1, 100, 52))]) {
      for (const kernel of [ALONE, PARTS]) {
        await check(small, gemm, inputsOf({ name: 'segments', ...run }, 'f32'), { ...run.attributes, kernel }, true)
      }
    }
  })

  it.each([
    ['across', MEMORY, [2, 64], [64, 36]],
    ['across, any strides', ALONE, [3, 37], [37, 41]],
    ['along', BOTH, [5, 72], [23, 72]],
    ['in parts', PARTS, [3, 100], [100, 26]],
  ] as const)('accesses %s are as counted', async (_, kernel, a, b) => {
    const inputs = [
      { dtype: 'f32', shape: a },
      { dtype: 'f32', shape: b },
    ] as const
    const attributes = parseAttributes(gemm, { transB: a[1] === b[1] ? 1 : 0 })
    const outputs = gemm.infer({ inputs, values: [], attributes })
    const product = normalised(productOf({ inputs, values: [], attributes, outputs }))
    const config = vector.schema.parse(forced(product, kernel, gpu.facts))
    using left = gpu.upload(tensor(new Float32Array(a[0] * a[1]), a))
    using right = gpu.upload(tensor(new Float32Array(b[0] * b[1]), b))
    const counts = await countAccesses(gpu, vector.plan(product, config, gpu.facts), [left, right], outputs)
    const sums: Record<string, { loads: number; stores: number }> = {}
    for (const [name, { loads, stores }] of counts.flatMap((count) => Object.entries(count))) {
      const sum = (sums[name] ??= { loads: 0, stores: 0 })
      sum.loads += loads
      sum.stores += stores
    }
    expect(sums).toEqual(vector.accesses(product, config, gpu.facts))
  })
})
