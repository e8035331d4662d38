/** Matrix units on the software adapter, whose units are 8×8×8: bit for bit, at edges, transposed, batched, segmented, and counted. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { gpuHardware } from '../../../models/hardware/index.ts'
import { evaluate } from '../../../src/cost/evaluate.ts'
import { assemble } from '../../../src/gpu/assemble.ts'
import { countAccesses } from '../../../src/gpu/counted.ts'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { segmentBytes, type DeviceFacts } from '../../../src/gpu/program.ts'
import { planProduct } from '../../../src/ops/gemm/choose.ts'
import { matrix } from '../../../src/ops/gemm/kernels/matrix.ts'
import { gemm } from '../../../src/ops/gemm/op.ts'
import type { Product } from '../../../src/ops/gemm/product.ts'
import { matmulInteger } from '../../../src/ops/matmul-integer/op.ts'
import { matmul } from '../../../src/ops/matmul/op.ts'
import { productOf } from '../../../src/ops/matmul/plan.ts'
import type { OpDefinition } from '../../../src/ops/op.ts'
import { parseAttributes, runOp } from '../../../src/ops/run.ts'
import { convProblem } from '../../../src/schedule/problem.ts'
import { float16Array } from '../../../src/tensor/half.ts'
import { tensor, type Tensor, type TensorType } from '../../../src/tensor/tensor.ts'
import { inputsOf } from '../../cases/case.ts'
import { check } from '../run-table.ts'

const SMALL = { kernel: 'matrix', rows: 2, columns: 1, subgroupRows: 1, subgroupColumns: 2, steps: 1 }
const DIRECT = { ...SMALL, direct: true }

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())
beforeEach((context) => {
  const isThere = gpu.facts.matrices?.some(({ M, N, K, result }) => M === 8 && N === 8 && K === 8 && result === 'f32') === true
  if (!isThere) context.skip('the device lists no matrix unit of 8×8×8')
})

/** Sums of whole numbers, bit for bit. */
async function checkExact(
  definition: OpDefinition,
  shapes: readonly (readonly number[] | null)[],
  attributes: object,
): Promise<void> {
  await check(gpu, definition, inputsOf({ name: '', inputs: shapes, data: 'integers' }, 'f16'), attributes, true)
  expect(gpu.memory.liveBytes).toBe(0)
}

describe('products of halves by matrix units, staged, bit for bit', () => {
  it.each([
    ['odd sizes', [13, 37], [37, 71]],
    ['a tile and one more', [17, 33], [33, 33]],
    ['K = 1', [33, 1], [1, 29]],
    ['1 × 1 × 1', [1, 1], [1, 1]],
    ['whole quads', [40, 52], [52, 44]],
    ['more rows of tiles than a band', [150, 52], [52, 44]],
    ['one row', [1, 77], [77, 131]],
    ['batches broadcast', [3, 1, 19, 21], [2, 21, 23]],
    ['five batch dimensions', [2, 1, 2, 1, 2, 9, 8], [2, 1, 3, 1, 8, 12]],
  ])('%s', async (_, a, b) => {
    await checkExact(matmul, [a, b], { kernel: SMALL })
  })

  it.each([
    ['A', { transA: 1 }, [37, 13], [37, 71]],
    ['B', { transB: 1 }, [13, 36], [71, 36]],
    ['both', { transA: 1, transB: 1 }, [36, 16], [24, 36]],
  ])('transposed: %s; output f32', async (_, attributes, a, b) => {
    await checkExact(gemm, [a, b, null], { ...attributes, output: 'f32', kernel: SMALL })
  })

  it('K = 0 leaves the bias', async () => {
    await checkExact(gemm, [[3, 0], [0, 5], [5]], { kernel: SMALL })
  })

  it('one stage, four subgroups, alpha, beta, bias, scale, residual, activation', async () => {
    const kernel = { kernel: 'matrix', rows: 2, columns: 2, steps: 2, buffers: 1, unit: '8x8x8' }
    const attributes = { alpha: 0.5, beta: 2, activation: 'relu', kernel }
    await checkExact(gemm, [[35, 40], [40, 20], [20], [35, 20], [35, 1]], attributes)
  })

  it('the depth in parts, some longer than others; batches', async () => {
    const kernel = { ...SMALL, splits: 3 }
    await checkExact(
      matmul,
      [
        [2, 19, 100],
        [2, 100, 21],
      ],
      { output: 'f32', kernel },
    )
    await checkExact(gemm, [[40, 57], [57, 33], [33]], { activation: 'relu', output: 'f32', kernel })
  })

  it('sums in f16 where they are asked for', async () => {
    await checkExact(
      matmul,
      [
        [20, 24],
        [24, 20],
      ],
      { accumulate: 'f16', kernel: SMALL },
    )
  })

  it('operands in several bindings', async () => {
    using small = await openGpu({ limits: { maxStorageBufferBindingSize: 1024 } })
    const inputs = inputsOf(
      {
        name: '',
        inputs: [
          [37, 27],
          [27, 31],
        ],
        data: 'integers',
      },
      'f16',
    )
    await check(small, matmul, inputs, { kernel: SMALL }, true)
  })

  it('NaN and infinities stay in their rows and columns, also at edges', async () => {
    const [rows, depth, columns] = [29, 37, 43]
    const [a, b] = [float16Array(rows * depth).fill(1), float16Array(depth * columns).fill(2)]
    a[3 * depth + depth - 1] = NaN
    a[(rows - 1) * depth] = -Infinity
    b[5 * columns + columns - 1] = Infinity
    const inputs = [tensor(a, [rows, depth]), tensor(b, [depth, columns])]
    const [reference] = matmul.reference(inputs, parseAttributes(matmul, { output: 'f32' }))
    // A row of NaN, a row and a column of infinities, NaN where those meet.
    const values = Array.from(await numbersOf(reference?.tensor))
    expect([NaN, Infinity, -Infinity].map((kind) => values.filter((value) => Object.is(value, kind)).length)).toEqual([44, 27, 42])
    await check(gpu, matmul, inputs, { output: 'f32', kernel: SMALL }, true)
  })

  it('operands up to 65504 give finite f32 sums, and f16 ones that are infinite only beyond the range', async () => {
    const a = tensor(float16Array(2 * 16).fill(65504), [2, 16])
    const b = tensor(float16Array(16 * 2).fill(65504), [16, 2])
    await check(gpu, matmul, [a, b], { output: 'f32', kernel: SMALL })
    // 65504 + 65504 - 65504, beyond the range on the way.
    const inside = float16Array(16 * 2)
    inside.set([1, 1, 1, 1, -1, -1])
    await check(gpu, matmul, [a, tensor(inside, [16, 2])], { kernel: SMALL }, true)
    const [beyond] = await runOp(gpu, matmul, [a, b], { kernel: SMALL })
    expect(Array.from(await numbersOf(beyond))).toEqual(Array(4).fill(Infinity))
    beyond?.dispose()
  })
})

async function numbersOf(given: Tensor | undefined): Promise<ArrayLike<number>> {
  const values = await given?.data()
  if (values === undefined || values instanceof BigInt64Array || values instanceof BigUint64Array) throw new Error('No values')
  return values
}

describe('loaded directly, bit for bit', () => {
  it.each([
    ['both as they are, batches', { transA: 0 }, matmul, [2, 32, 24], [1, 24, 48]],
    ['both transposed', { transA: 1, transB: 1 }, gemm, [24, 16], [32, 24]],
  ])('%s', async (_, attributes, definition: OpDefinition, a, b) => {
    const own = definition === gemm ? attributes : {}
    await checkExact(definition, [a, b], { ...own, output: 'f32', kernel: DIRECT })
  })
})

describe('accesses', () => {
  it.each([
    ['staged, ragged', SMALL, [3, 19, 21], [3, 21, 28], false],
    ['staged, whole tiles', SMALL, [32, 32], [32, 64], true],
    ['direct', DIRECT, [32, 32], [32, 64], true],
    ['parts of the depth', { ...SMALL, splits: 4 }, [32, 64], [64, 32], true],
  ])('%s: counted as predicted, and by evaluate where tiles are whole', async (_, config, shapeA, shapeB, isWhole) => {
    const types: TensorType[] = [shapeA, shapeB].map((shape) => ({ dtype: 'f16', shape }))
    const attributes = parseAttributes(matmul, { output: 'f32' })
    const outputs = matmul.infer({ inputs: types, values: [], attributes })
    const product: Product = productOf({ inputs: types, outputs, values: [], attributes })
    const parsed = matrix.schema.parse(config)
    const [a, b] = types.map((type) => gpu.allocate(type))
    if (a === undefined || b === undefined) throw new Error('No operands')
    const counted = await countAccesses(gpu, planProduct(product, gpu.facts, parsed), [a, b], outputs)
    const predicted = matrix.accesses(product, parsed, gpu.facts)
    for (const [operand, { loads, stores }] of Object.entries(predicted)) {
      const all = counted.flatMap((counts) => counts[operand] ?? [])
      expect(all.length).toBeGreaterThan(0)
      expect({ operand, loads: sum(all.map((each) => each.loads)), stores: sum(all.map((each) => each.stores)) }).toEqual({
        operand,
        loads,
        stores,
      })
    }
    a.dispose()
    b.dispose()
    if (!isWhole) return
    const problem = convProblem({ P: product.rows, M: product.columns, C: product.depth })
    const { DRAM } = evaluate(problem, gpuHardware(gpu.facts), matrix.mappingOf(product, parsed, gpu.facts)).accesses
    expect(DRAM?.inputs.reads).toBe(predicted.a?.loads)
    expect(DRAM?.weights.reads).toBe(predicted.b?.loads)
  })
})

describe('kernels of other units', () => {
  // What NVIDIA and Intel list; this adapter has no such units, so the text is only compiled to see that it is valid WGSL.
  it.each([
    [16, 16, 16, 32, { rows: 4, columns: 4 }],
    [16, 8, 16, 32, { rows: 2, columns: 4, direct: true }],
    [8, 16, 16, 16, { rows: 4, columns: 2, subgroupColumns: 4, buffers: 1 }],
  ])('are valid: %i×%i×%i in subgroups of %i', async (M, N, K, lanes, fields) => {
    const component = { M, N, K, component: 'f16', result: 'f32' }
    const device: DeviceFacts = {
      ...gpu.facts,
      matrices: [component, { M, N, K: 2 * K, component: 'i8', result: 'i32' }],
      subgroups: { min: lanes, max: lanes, linear: true },
      limits: { ...gpu.facts.limits, maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 256 },
      software: false,
    }
    const halves: TensorType = { dtype: 'f16', shape: [256, 256] }
    const given = { attributes: parseAttributes(matmul, {}), inputs: [halves, halves], values: [] }
    const product = productOf({ ...given, outputs: matmul.infer(given) })
    const bytes: TensorType = { dtype: 'u8', shape: [256, 256] }
    const plans = [planProduct(product, device, matrix.schema.parse({ kernel: 'matrix', ...fields }))]
    for (const transB of [0, 1]) {
      const context = { inputs: [bytes, bytes, null, null], values: [], attributes: parseAttributes(matmulInteger, { transB }) }
      plans.push(matmulInteger.plan({ ...context, outputs: matmulInteger.infer(context), device }))
    }
    for (const { dispatches, reason } of plans) {
      expect(reason).toContain('matrix units')
      for (const { program } of dispatches) {
        const segments = program.operands.map(() => 1)
        const { code } = assemble(program, segments, segmentBytes(device.limits), device)
        const { messages } = await gpu.device.createShaderModule({ code }).getCompilationInfo()
        expect(messages.filter(({ type }) => type === 'error').map(({ message, lineNum }) => `${lineNum}: ${message}`)).toEqual([])
      }
    }
  })
})

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0)
}
