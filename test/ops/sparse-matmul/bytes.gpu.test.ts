/** Bytes with weights in 2:4 on the device: bit for bit the dense product of bytes, and against the reference. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { graph } from '../../../src/graph/builder.ts'
import { compile } from '../../../src/graph/model.ts'
import { openGpu, type Gpu } from '../../../src/node.ts'
import { matrixBytesRefusal } from '../../../src/ops/gemm/kernels/matrix-integer.ts'
import { matmulInteger, sparseMatmul } from '../../../src/ops/index.ts'
import { sparseMatmul as definition } from '../../../src/ops/sparse-matmul/op.ts'
import { packTwoOfFour, unpackTwoOfFour, type TwoOfFour } from '../../../src/sparsity/two-of-four.ts'
import { HostTensor, tensor } from '../../../src/tensor/tensor.ts'
import { filled } from '../../cases/quantised.ts'
import { check } from '../run-table.ts'
import { prunedMatrix } from './pruned.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

/** [lines, depth] of i8 in 2:4, random over their range. */
function packedBytes(lines: number, depth: number, share = 1): TwoOfFour {
  let state = 99 + lines + 7 * depth
  const byte = (): number => ((state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 24) - 128
  const matrix = prunedMatrix(lines, depth, byte, share)
  return packTwoOfFour(new HostTensor('i8', matrix.shape, Int8Array.from(matrix.values)), { share })
}

interface Given {
  readonly x: readonly number[]
  readonly columns: number
  readonly dtype?: 'i8' | 'u8'
  readonly share?: number
  /** Shape of the zero point. */
  readonly zero?: readonly number[]
  /** Scales, bias, residual and an activation. */
  readonly scaled?: boolean
}

const MOVED = { dtype: 'u8', zero: [] } as const

/** Kernels by name, each pipeline with all cases of its kind: sizes are all that changes. */
const RUNS: readonly (readonly [string, string | undefined, ...Given[]])[] = [
  ['by rule, one row', undefined, { x: [37], columns: 9 }, { x: [1, 1], columns: 1 }, { x: [1, 1000], columns: 70 }],
  ['by rule, more rows', undefined, { x: [37, 129], columns: 71 }, { x: [17, 30], columns: 1 }, { x: [2, 3, 41], columns: 8 }],
  [
    'bytes by rule',
    undefined,
    { x: [7, 67], columns: 71, dtype: 'u8', zero: [] },
    { x: [5, 130], columns: 1, dtype: 'u8', zero: [1] },
  ],
  ['gathered in words', 'gather-packed', { x: [3, 7], columns: 130 }, { x: [3, 37], columns: 31 }, { x: [2, 261], columns: 5 }],
  ['expanded', 'vector-packed', { x: [3, 7], columns: 130 }, { x: [3, 37], columns: 31 }, { x: [2, 261], columns: 5 }],
  ['expanded, seats shared', 'vector-unpacked', { x: [9, 39], columns: 37, share: 4 }, { x: [9, 97], columns: 66, share: 4 }],
  ['gathered, seats shared, a zero point', undefined, { x: [9, 70], columns: 37, dtype: 'u8', share: 32, zero: [1] }],
  ['tiles', 'tiled-packed', { x: [37, 129], columns: 71 }, { x: [17, 30], columns: 1 }],
  ['tiles, seats shared', 'tiled-unpacked', { x: [5, 67], columns: 33, dtype: 'u8', zero: [], share: 4 }],
  ['a zero point for each row of a batch', undefined, { x: [2, 3, 21], columns: 6, dtype: 'u8', zero: [2, 3, 1] }],
  ['scaled', undefined, { x: [3, 45], columns: 35, scaled: true, ...MOVED }, { x: [4, 0], columns: 3, scaled: true, ...MOVED }],
  ['empty', undefined, { x: [0, 12], columns: 5 }, { x: [3, 12], columns: 0 }, { x: [3, 0], columns: 4 }],
]

/** The call holds against matmulInteger of the unpacked weights, bit for bit, and against its own reference. */
async function checkEqual(on: Gpu, kernel: string | undefined, given: Given): Promise<void> {
  const { x: shape, columns, dtype = 'i8', share, zero, scaled } = given
  const [depth, rows] = [shape.at(-1) ?? 0, shape.slice(0, -1)]
  const x = filled({ dtype, shape }, 3)
  const plain = packedBytes(columns, depth, share)
  const zeroPoint = zero === undefined ? undefined : filled({ dtype, shape: zero }, 4)
  const float = (seed: number, ...extents: number[]): HostTensor => filled({ dtype: 'f32', shape: extents }, seed)
  const [xScale, bias, residual] = scaled === true ? [float(6), float(7, columns), float(8, ...rows, columns)] : []
  const each = Array.from({ length: columns }, (_, line) => 0.25 + line / 64)
  const packed =
    scaled === true
      ? { ...plain, scales: new HostTensor('f32', [columns, Math.min(1, depth)], Float32Array.from(depth === 0 ? [] : each)) }
      : plain
  const own = { ...(kernel === undefined ? {} : { kernel }), ...(scaled === true ? { activation: 'relu' as const } : {}) }
  const terms = bias === undefined || residual === undefined ? {} : { bias, residual }
  const y = await sparseMatmul(on, x, packed, {
    ...own,
    ...terms,
    ...(xScale === undefined ? {} : { xScale }),
    ...(zeroPoint === undefined ? {} : { xZeroPoint: zeroPoint }),
  })
  const dense = await matmulInteger(on, x, unpackTwoOfFour(plain), {
    transB: true,
    ...(scaled === true ? { activation: 'relu', bScale: tensor(each) } : {}),
    ...terms,
    ...(xScale === undefined ? {} : { aScale: xScale }),
    ...(zeroPoint === undefined ? {} : { aZeroPoint: zeroPoint }),
  })
  expect(y.dtype).toBe(scaled === true ? 'f32' : 'i32')
  expect(y.shape).toEqual([...rows, columns])
  expect(await y.data()).toEqual(await dense.data())
  y.dispose()
  dense.dispose()
  const weights = [packed.positions, packed.scales ?? null]
  const inputs = [x, packed.values, bias ?? null, residual ?? null, null, ...weights, zeroPoint ?? null, xScale ?? null]
  await check(on, definition, inputs, { share: packed.share, ...own })
}

describe('2:4 × bytes', () => {
  it.each(RUNS.map(([name, kernel, ...cases]) => ({ name, kernel, cases })))('$name', async ({ kernel, cases }) => {
    expect(cases.length).toBeGreaterThan(0)
    for (const given of cases) await checkEqual(gpu, kernel, given)
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('of random sizes', async () => {
    const sizes = fc.record({
      rows: fc.integer({ min: 5, max: 40 }),
      columns: fc.integer({ min: 1, max: 80 }),
      depth: fc.integer({ min: 1, max: 140 }),
    })
    for (const kernel of ['gather-unpacked', 'vector-packed', 'tiled-packed']) {
      for (const { rows, columns, depth } of fc.sample(sizes, { seed: 2024, numRuns: 8 })) {
        await checkEqual(gpu, kernel, { x: [rows, depth], columns, dtype: 'u8', zero: [rows] })
      }
    }
  })

  it('in a model, which packs its weights at load', async () => {
    const packed = packedBytes(19, 45)
    const [x, xZeroPoint, xScale] = [filled({ dtype: 'u8', shape: [6, 45] }, 1), tensor([131], [], 'u8'), tensor([0.5], [])]
    const g = graph()
    g.output('y', g.sparseMatmul(g.input('x', 'u8', [6, 45]), packed, { xZeroPoint, xScale }))
    using model = await compile(gpu, g.finish())
    const { y } = await model.run({ x })
    using dense = await matmulInteger(gpu, x, unpackTwoOfFour(packed), { transB: true, aZeroPoint: xZeroPoint, aScale: xScale })
    expect(await y?.data()).toEqual(await dense.data())
  })

  it('sums beyond 2^24, of the least and the largest', async () => {
    const depth = 8192
    const weights = new Int8Array(2 * depth)
    for (let k = 0; k < depth; k++) if (k % 4 < 2) weights.set([-128], k)
    for (let k = 0; k < depth; k++) if (k % 4 > 1) weights.set([127], depth + k)
    const packed = packTwoOfFour(new HostTensor('i8', [2, depth], weights))
    const least = new HostTensor('i8', [1, depth], new Int8Array(depth).fill(-128))
    const most = new HostTensor('u8', [1, depth], new Uint8Array(depth).fill(255))
    for (const kernel of ['vector-packed', 'gather-unpacked']) {
      using y = await sparseMatmul(gpu, least, packed, { kernel })
      expect(await y.data()).toEqual(Int32Array.of(4096 * 128 * 128, -4096 * 128 * 127))
      using z = await sparseMatmul(gpu, most, packed, { kernel })
      expect(await z.data()).toEqual(Int32Array.of(-4096 * 128 * 255, 4096 * 127 * 255))
    }
  })

  it('of tensors in several segments, more workgroups than a grid is wide', async () => {
    using small = await openGpu({ limits: { maxStorageBufferBindingSize: 4096, maxComputeWorkgroupsPerDimension: 3 } })
    await checkEqual(small, 'gather-unpacked', { x: [3, 100], columns: 140, dtype: 'u8' })
    await checkEqual(small, 'tiled-packed', { x: [70, 100], columns: 140, share: 4 })
  })

  it('by matrix units', async () => {
    const refusal = matrixBytesRefusal({ rows: 33, columns: 37, depth: 67, slices: 1 }, gpu.facts)
    if (refusal !== undefined) return console.log(`Skipped: ${refusal}`)
    await checkEqual(gpu, 'matrix', { x: [33, 67], columns: 37, dtype: 'u8', zero: [] })
  })
})
