/** Products with weights in 2:4 on the device: against the reference, and against the dense product of the same weights. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countAccesses } from '../../../src/gpu/counted.ts'
import type { DeviceTensor } from '../../../src/gpu/device-tensor.ts'
import { openGpu, type Gpu } from '../../../src/node.ts'
import { accessesOf, familyNamed, forced } from '../../../src/ops/gemm/families.ts'
import type { Accesses } from '../../../src/ops/gemm/family.ts'
import type { Product } from '../../../src/ops/gemm/product.ts'
import { linear } from '../../../src/ops/index.ts'
import { sparseMatmul } from '../../../src/ops/sparse-matmul/op.ts'
import { runOp } from '../../../src/ops/run.ts'
import { unpackTwoOfFour } from '../../../src/sparsity/two-of-four.ts'
import { allocate } from '../../../src/tensor/dtype.ts'
import { sizeOf } from '../../../src/tensor/shape.ts'
import { HostTensor, type TensorType } from '../../../src/tensor/tensor.ts'
import { check } from '../run-table.ts'
import { sparseCase, sparseProduct, type SparseCase } from './pruned.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

/** A configuration with its sizes. */
type Config = { readonly kernel: string } & Readonly<Record<string, string | number>>

const SHUFFLE = { kernel: 'two-of-four', rows: 4, strips: 2 }
const SELECT = { kernel: 'two-of-four', gather: 'select', rows: 4, across: 4, along: 2 }
const TILED = { kernel: 'tiled', tileRows: 16, tileColumns: 16, rows: 4, columns: 4, tileDepth: 8 }
/** Of as few lanes as will do. */
const TILES = { kernel: 'two-of-four-tiles', rows: 4, columns: 4, rowLanes: 8, columnLanes: 2 }
const EXPAND = { kernel: 'two-of-four', gather: 'expand', rows: 4, along: 2 }
const of = (rows: number, columns: number, depth: number, more: Partial<SparseCase> = {}): SparseCase => ({
  ...{ rows, columns, depth },
  ...more,
})

/** One kernel for several cases: each costs compiling it, unless sizes are all that changes. */
const RUNS: readonly (readonly [string, Config | undefined, ...SparseCase[]])[] = [
  ['exchanged by seat', SHUFFLE, of(1, 1, 1), of(3, 7, 10), of(7, 130, 99), of(13, 33, 37), of(5, 71, 67)],
  ['exchanged by seat, whole quads', SHUFFLE, of(4, 64, 256), of(9, 132, 36), of(1, 4, 4), of(2, 100, 32)],
  ['exchanged, the depth shared', { ...SHUFFLE, along: 4 }, of(3, 40, 36), of(2, 40, 292), of(1, 12, 132)],
  ['exchanged, the depth in parts', { ...SHUFFLE, parts: 3 }, of(5, 37, 201)],
  ['exchanged, seats shared by 4', SHUFFLE, of(5, 71, 67, { share: 4 }), of(2, 9, 131, { share: 4 })],
  ['exchanged, seats shared by 32', SHUFFLE, of(6, 71, 67, { share: 32 }), of(1, 65, 31, { share: 32 })],
  ['selected by seat', SELECT, of(1, 1, 1), of(3, 7, 11), of(7, 130, 99), of(5, 71, 67)],
  ['selected, seats shared by 4, in parts', { ...SELECT, parts: 2 }, of(3, 71, 261, { share: 4 })],
  ['expanded in registers', EXPAND, of(1, 1, 1), of(3, 7, 11), of(6, 130, 97)],
  ['by a branch', TILES, of(37, 71, 129), of(1, 1, 1), of(70, 9, 10)],
  ['by a branch, seats shared by 4', { ...TILES, rows: 8, groups: 4 }, of(37, 71, 129, { share: 4 })],
  ['by rule, many rows', undefined, of(37, 71, 129)],
  ['tiled', TILED, of(37, 71, 129), of(1, 1, 1)],
  ['halves', SHUFFLE, of(5, 33, 70, { bits: 16 })],
  ['bytes', SHUFFLE, of(5, 33, 70, { bits: 8 }), of(2, 70, 129, { bits: 8 })],
  ['nibbles, a scale for each word', SHUFFLE, of(5, 33, 70, { bits: 4, block: 32 }), of(2, 70, 129, { bits: 4, block: 32 })],
  ['nibbles, selected', SELECT, of(5, 33, 70, { bits: 4, block: 32, share: 4 })],
  ['an epilogue', SHUFFLE, of(5, 33, 70, { terms: true })],
  ['K = 0 is the bias', undefined, of(3, 5, 0, { terms: true })],
  ['nothing', undefined, of(0, 5, 8), of(3, 0, 8)],
]

describe('2:4 × dense', () => {
  it.each(RUNS.map(([name, kernel, ...cases]) => ({ name, kernel, cases })))('$name', async ({ kernel, cases }) => {
    expect(cases.length).toBeGreaterThan(0)
    for (const given of cases) {
      const { inputs, attributes } = sparseCase(given)
      // Whole numbers: of f32 nothing is rounded, whatever the order of the sum.
      const exact = given.bits === undefined && given.terms !== true
      await check(gpu, sparseMatmul, inputs, { ...attributes, ...(kernel === undefined ? {} : { kernel }) }, exact)
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('is bit for bit the dense product of the weights that were packed', async () => {
    for (const given of [of(1, 37, 67), of(6, 130, 100, { share: 4 }), of(16, 33, 45)]) {
      const { inputs, attributes, packed } = sparseCase(given)
      const [x] = inputs
      if (x === undefined || x === null || x.dtype !== 'f32') throw new Error('no X')
      const dense = await linear(gpu, x, unpackTwoOfFour(packed))
      const [y] = await runOp(gpu, sparseMatmul, inputs, attributes)
      const values = await y?.data()
      expect(values?.length).toBe(given.rows * given.columns)
      expect(values).toEqual(await dense.data())
      y?.dispose()
      dense.dispose()
    }
  })

  it('is what the reference allows where X is infinite, NaN or 0', async () => {
    for (const kernel of [SHUFFLE, SELECT]) {
      const { inputs, attributes } = sparseCase(of(4, 21, 42, { special: true }))
      await check(gpu, sparseMatmul, inputs, { ...attributes, kernel })
    }
  })

  it('of weights in several segments, more workgroups than a grid is wide', async () => {
    using small = await openGpu({ limits: { maxStorageBufferBindingSize: 8192, maxComputeWorkgroupsPerDimension: 3 } })
    for (const [given, kernel] of [
      [of(3, 140, 100), { ...SHUFFLE, strips: 1 }],
      [of(9, 140, 100, { share: 4 }), { ...SHUFFLE, strips: 1 }],
      [of(2, 90, 261), { ...SELECT, parts: 2 }],
    ] as const) {
      const { inputs, attributes } = sparseCase(given)
      await check(small, sparseMatmul, inputs, { ...attributes, kernel }, true)
    }
  })
})

describe('accesses are as counted', () => {
  it.each<[Config, SparseCase]>([
    [SHUFFLE, of(6, 71, 67)],
    [{ ...SHUFFLE, along: 4 }, of(2, 40, 292, { share: 4 })],
    [{ ...SHUFFLE, parts: 3 }, of(2, 40, 201)],
    [SHUFFLE, of(3, 40, 70, { bits: 4, block: 32 })],
    [SELECT, of(6, 71, 67)],
    [{ ...SELECT, parts: 2 }, of(3, 40, 261, { bits: 8, block: 64 })],
    [TILES, of(5, 40, 67, { bits: 8 })],
    [{ ...TILES, groups: 4 }, of(33, 40, 68, { share: 4 })],
    [EXPAND, of(3, 70, 100, { share: 32 })],
    [{ kernel: 'vector' }, of(3, 40, 70, { bits: 4, block: 32 })],
    [{ kernel: 'broadcast', rows: 4 }, of(5, 40, 67)],
    [{ ...TILED, kernel: 'registers' }, of(5, 40, 68, { share: 4 })],
    [TILED, of(5, 40, 67, { bits: 8 })],
  ])('%o, %o', async (kernel, given) => {
    const product = sparseProduct(given)
    const counts = await counted(product, forced(product, kernel, gpu.facts))
    expect(counts).toEqual(accessesOf(product, forced(product, kernel, gpu.facts), gpu.facts))
    expect(counts['seats']?.loads).toBeGreaterThan(0)
  })

  it('of matrix units, which expand halves as they stage them', async () => {
    const given = of(20, 40, 70, { bits: 16 })
    const kernel = { kernel: 'matrix', rows: 1, columns: 1, subgroupRows: 1, subgroupColumns: 1, steps: 1, buffers: 1 }
    if (gpu.facts.matrices === undefined) return console.log('Skipped: the adapter has no matrix units')
    const { inputs, attributes } = sparseCase(given)
    await check(gpu, sparseMatmul, inputs, { ...attributes, kernel })
    const product = sparseProduct(given)
    const config = forced(product, kernel, gpu.facts)
    expect(await counted(product, config)).toEqual(accessesOf(product, config, gpu.facts))
  })
})

/** What the counted build of a product's kernel counts, over all dispatches. */
async function counted(product: Product, config: { readonly kernel: string }): Promise<Accesses> {
  const { a, b, output } = product
  const inputs: (DeviceTensor | null)[] = Array.from({ length: 7 }, () => null)
  const put = (input: number, { dtype, shape }: TensorType): void => {
    inputs[input] = gpu.upload(new HostTensor(dtype, shape, allocate(dtype, sizeOf(shape))))
  }
  put(a.input, a.type)
  put(b.input, b.type)
  for (const each of [b.sparse?.positions, b.sparse?.scales]) if (each !== undefined) put(each.input, each.type)
  const plan = familyNamed(config.kernel, product.op).plan(product, config, gpu.facts)
  const counts = await countAccesses(gpu, plan, inputs, [output])
  for (const input of inputs) input?.dispose()
  const sums: Record<string, { loads: number; stores: number }> = {}
  for (const [name, { loads, stores }] of counts.flatMap((count) => Object.entries(count))) {
    const sum = (sums[name] ??= { loads: 0, stores: 0 })
    sum.loads += loads
    sum.stores += stores
  }
  return sums
}
