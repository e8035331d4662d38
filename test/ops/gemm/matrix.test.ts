/** Plans of matrix units of any size, without a GPU: tiles, memory, grids, what is refused, what is proposed, what mappings predict. */
import { describe, expect, it } from 'vitest'
import { evaluate } from '../../../src/cost/evaluate.ts'
import { OptionError } from '../../../src/errors.ts'
import { checkPlan, launchesOf } from '../../../src/gpu/launch.ts'
import type { DeviceFacts, MatrixUnit } from '../../../src/gpu/program.ts'
import { byRule } from '../../../src/ops/gemm/choose.ts'
import { kernelMachine } from '../../../src/ops/gemm/estimate.ts'
import { forced } from '../../../src/ops/gemm/families.ts'
import { matrix } from '../../../src/ops/gemm/kernels/matrix.ts'
import { matrixBytesCore, matrixBytesRefusal, prefersMatrixBytes } from '../../../src/ops/gemm/kernels/matrix-integer.ts'
import { chooseInteger } from '../../../src/ops/gemm/kernels/packed-dot.ts'
import { plainProduct, type Product } from '../../../src/ops/gemm/product.ts'
import { unrolled } from '../../../src/ops/gemm/unroll.ts'
import { convProblem } from '../../../src/schedule/problem.ts'
import type { DType } from '../../../src/tensor/dtype.ts'
import { FACTS } from '../facts.ts'

type Size = readonly [M: number, N: number, K: number]

function unit([M, N, K]: Size, component = 'f16', result = 'f32'): MatrixUnit {
  return { M, N, K, component, result }
}

/** A device with these units and subgroups of one size. */
function facts(matrices: readonly MatrixUnit[], lanes: number, more: Partial<DeviceFacts['limits']> = {}): DeviceFacts {
  return {
    ...FACTS,
    features: new Set(['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix']),
    language: new Set(['subgroup_id', 'packed_4x8_integer_dot_product']),
    subgroups: { min: lanes, max: lanes, linear: true },
    matrices,
    limits: { ...FACTS.limits, maxComputeWorkgroupStorageSize: 49152, ...more },
  }
}

/** As NVIDIA, Intel and Apple list them. */
const NVIDIA = facts([unit([16, 8, 16]), unit([16, 16, 16]), unit([16, 16, 16], 'f16', 'f16'), unit([16, 16, 32], 'i8', 'i32')], 32)
const INTEL = facts([unit([8, 16, 16]), unit([8, 16, 32], 'i8', 'i32')], 16)
const APPLE = facts([unit([8, 8, 8]), unit([8, 8, 8], 'f16', 'f16')], 32, { maxComputeWorkgroupStorageSize: 32768 })

function productOf(rows: number, columns: number, depth: number, more: Partial<Product> = {}, dtype: DType = 'f16'): Product {
  return { ...plainProduct('matmul', rows, columns, depth, dtype), ...more }
}

const config = (fields: object = {}) => matrix.schema.parse({ kernel: 'matrix', ...fields })
const LARGE = productOf(4096, 4096, 4096)

describe('a plan', () => {
  it.each([
    ['16×16×16, 4 × 4 fragments', NVIDIA, { rows: 4, columns: 4 }, [128, 128], 32, 128, 1024, 256],
    [
      '8×16×16 in subgroups of 16',
      INTEL,
      { rows: 4, columns: 2, subgroupRows: 2, subgroupColumns: 4 },
      [64, 128],
      32,
      128,
      2048,
      128,
    ],
    ['8×8×8', APPLE, { rows: 4, columns: 8, steps: 4 }, [64, 128], 32, 128, 2048, 64],
    ['a named unit', NVIDIA, { unit: '16x8x16', rows: 2, columns: 4 }, [64, 64], 32, 128, 4096, 128],
  ])('of %s: tile, depth of a stage, lanes, grid', (_, device, fields, [rows = 0, columns = 0], depth, lanes, groups, fragment) => {
    expect(matrix.refusal(LARGE, config(fields), device)).toBeUndefined()
    const plan = matrix.plan(LARGE, config(fields), device)
    const [dispatch] = plan.dispatches
    expect(plan.reason).toContain(`${rows}×${columns} a workgroup`)
    expect(plan.dispatches.length).toBe(1)
    expect(dispatch?.groups).toBe(groups)
    expect(dispatch?.params).toMatchObject({ row_tiles: 4096 / rows, column_tiles: 4096 / columns, rounds: 4096 / depth })
    expect(dispatch?.program.workgroupSize).toEqual([lanes, 1, 1])
    expect(dispatch?.program.constants?.TILE_DEPTH).toBe(depth)
    // A share of every lane covers the stage.
    const share = (dispatch?.program.constants?.LEFT_SHARE ?? 0) as number
    expect(share * lanes * 4).toBe(rows * depth)
    const [size, subgroups] = [device.subgroups?.max ?? 0, lanes / (device.subgroups?.max ?? 1)]
    expect((dispatch?.program.workgroupSize[0] ?? 1) % size).toBe(0)
    // Two stages of padded halves (A along its depth, B across its columns) and a fragment of f32 for each subgroup.
    const bytes = 2 * 2 * (rows * (depth + 8) + depth * (columns + 8)) + 4 * subgroups * fragment
    expect(dispatch?.program.workgroupBytes).toBe(bytes)
    expect(() => checkPlan(plan, { inputs: [LARGE.a.type, LARGE.b.type], outputs: [LARGE.output] }, device)).not.toThrow()
  })

  it('takes more than 65 535 workgroups, folded over the grid', () => {
    const product = productOf(16384, 16384, 64)
    const plan = matrix.plan(product, config({ rows: 1, columns: 1 }), NVIDIA)
    const groups = (16384 / 32) ** 2
    expect(plan.dispatches[0]?.groups).toBe(groups)
    const launches = launchesOf({ groups, cost: { flops: 1, bytes: 1 } }, NVIDIA)
    expect(launches[0]?.grid).toEqual([52429, 5, 1])
  })

  it('of a depth in parts is followed by one that adds them up, for each dispatch', () => {
    const { dispatches, temps } = matrix.plan(productOf(64, 128, 4096), config({ splits: 4 }), NVIDIA)
    expect(dispatches.map(({ program, groups }) => [program.name, groups])).toEqual([
      ['matmul/matrix-split', 8],
      ['matmul/reduce', 32],
    ])
    expect(temps).toEqual([{ dtype: 'f32', shape: [4, 1, 64, 128] }])
  })

  it('of sums in f16 takes the unit for it', () => {
    const product = productOf(64, 64, 64, { accumulate: 'f16' })
    expect(matrix.plan(product, config(), NVIDIA).reason).toMatch(/^matrix units 16x16x16, f16 into f16/)
    expect(matrix.refusal(product, config(), INTEL)).toBe(
      'the device lists no matrix unit that multiplies f16 into f16 in whole quads',
    )
  })
})

describe('a configuration is refused', () => {
  const without = (...names: string[]): DeviceFacts => ({
    ...NVIDIA,
    features: new Set([...NVIDIA.features].filter((name) => !names.includes(name))),
  })
  it.each<[string, RegExp, Product, object, DeviceFacts]>([
    [
      'f32 operands',
      /^operands are f32 and f32, and these matrix units multiply f16$/,
      productOf(64, 64, 64, {}, 'f32'),
      {},
      NVIDIA,
    ],
    ['no halves', /^feature shader-f16 is missing$/, LARGE, {}, without('shader-f16')],
    ['no subgroups', /^feature subgroups is missing$/, LARGE, {}, without('subgroups')],
    [
      'no units',
      /^feature chromium-experimental-subgroup-matrix is missing$/,
      LARGE,
      {},
      without('chromium-experimental-subgroup-matrix'),
    ],
    ['no subgroup_id', /^feature subgroup_id of WGSL is missing$/, LARGE, {}, { ...NVIDIA, language: new Set() }],
    [
      'subgroups of several sizes',
      /subgroups of one size, and the device's have 8 to 32 lanes$/,
      LARGE,
      {},
      { ...NVIDIA, subgroups: { min: 8, max: 32, linear: true } },
    ],
    ['a unit that is not listed', /no matrix unit 8x8x8 of f16 into f32, but 16x16x16, 16x8x16$/, LARGE, { unit: '8x8x8' }, NVIDIA],
    [
      'units of odd sizes',
      /no matrix unit that multiplies f16 into f32 in whole quads$/,
      LARGE,
      {},
      facts([unit([16, 2, 16])], 32),
    ],
    ['too many lanes', /^512 invocations, maxComputeInvocationsPerWorkgroup 256$/, LARGE, { subgroupRows: 8 }, NVIDIA],
    ['parts of few steps', /^64 splits of 16 steps of depth/, productOf(64, 64, 512), { splits: 64 }, NVIDIA],
    ['parts loaded directly', /^direct loads take the whole depth$/, LARGE, { splits: 2, direct: true }, NVIDIA],
    [
      'too much memory',
      /^45056 bytes of workgroup memory, maxComputeWorkgroupStorageSize 32768$/,
      productOf(4096, 4096, 4096, { b: { input: 1, type: LARGE.b.type, line: 4096, depth: 1 } }),
      { rows: 4, columns: 4, subgroupColumns: 2 },
      { ...NVIDIA, limits: { ...NVIDIA.limits, maxComputeWorkgroupStorageSize: 32768 } },
    ],
  ])('%s', (_, words, product, fields, device) => {
    expect(matrix.refusal(product, config(fields), device)).toMatch(words)
    expect(() => forced(product, config(fields), device)).toThrow(OptionError)
  })

  const direct = { direct: true }
  it.each<[string, RegExp, Product, DeviceFacts]>([
    ['rows', /^4097 rows are no multiple of the tile's 64/, productOf(4097, 4096, 4096), NVIDIA],
    ['columns', /^4080 columns are no multiple of the tile's 64/, productOf(4096, 4080, 4096), NVIDIA],
    ['depth', /^a depth of 4088 is no multiple of the unit's K, 16/, productOf(4096, 4096, 4088), NVIDIA],
    ['no depth', /^a depth of 0 is no multiple/, productOf(4096, 4096, 0), NVIDIA],
    ['strides', /^A has a stride of 4100, no multiple of 8/, { ...LARGE, a: { ...LARGE.a, line: 4100 } }, NVIDIA],
    ['gaps', /^A is contiguous along neither/, { ...LARGE, a: { ...LARGE.a, depth: 2 } }, NVIDIA],
    ['slices', /^slices of B begin at multiples of 4, not of 8/, { ...LARGE, batch: [{ size: 2, a: 0, b: 4 }] }, NVIDIA],
    [
      'bindings',
      /^A lies in 2 bindings, and direct loads need one$/,
      LARGE,
      { ...NVIDIA, limits: { ...NVIDIA.limits, maxStorageBufferBindingSize: 2 ** 24 } },
    ],
  ])('to load directly: %s', (_, words, product, device) => {
    expect(matrix.refusal(LARGE, config(direct), NVIDIA)).toBeUndefined()
    expect(matrix.refusal(product, config(direct), device)).toMatch(words)
  })
})

describe('candidates', () => {
  it.each([
    ['NVIDIA', NVIDIA],
    ['Intel', INTEL],
    ['Apple', APPLE],
  ])('are legal, a few for each unit, staged and direct: %s', (_, device) => {
    for (const product of [LARGE, productOf(77, 1000, 33), productOf(16, 4096, 4096)]) {
      const candidates = matrix.candidates(product, device)
      expect(candidates.length).toBeGreaterThan(0)
      expect(candidates.length).toBeLessThanOrEqual(12)
      for (const candidate of candidates) expect(matrix.refusal(product, candidate, device)).toBeUndefined()
    }
    expect(new Set(matrix.candidates(LARGE, device).map(({ direct }) => direct))).toEqual(new Set([false, true]))
  })
  it('by rule: 128 × 128 where that fills the machine, smaller tiles where it does not', () => {
    const first = (product: Product) => {
      const { config: chosen } = byRule(product, NVIDIA)
      return matrix.plan(product, matrix.schema.parse(chosen), NVIDIA).reason
    }
    expect(first(LARGE)).toContain('16x16x16, f16 into f32, 128×128 a workgroup, 64×64 a subgroup of 32, 32 of depth in each of 2')
    expect(first(productOf(512, 512, 4096))).toMatch(/128×128 a workgroup.*, the depth in 8 parts$/)
    expect(first(productOf(512, 512, 256))).toMatch(/32×32 a workgroup.* stages$/)
  })
  it('none where the device has no unit for the operands', () => {
    expect(matrix.candidates(productOf(64, 64, 64, {}, 'f32'), NVIDIA)).toEqual([])
    expect(matrix.candidates(LARGE, FACTS)).toEqual([])
  })
})

describe('mappings', () => {
  it.each([
    [NVIDIA, { rows: 4, columns: 4 }],
    [NVIDIA, { rows: 4, columns: 4, direct: true }],
    [NVIDIA, { rows: 2, columns: 4, splits: 2 }],
    [INTEL, { rows: 4, columns: 2, subgroupColumns: 4 }],
    [APPLE, { rows: 4, columns: 4, subgroupRows: 1 }],
  ])('predict what whole tiles load', (device, fields) => {
    const product = productOf(256, 512, 128)
    const { DRAM } = evaluate(
      convProblem({ P: product.rows, M: product.columns, C: product.depth }),
      kernelMachine(device),
      matrix.mappingOf(product, config(fields), device),
    ).accesses
    const predicted = matrix.accesses(product, config(fields), device)
    expect(DRAM?.inputs.reads).toBe(predicted.a?.loads)
    expect(DRAM?.weights.reads).toBe(predicted.b?.loads)
    expect(DRAM?.outputs.updates).toBe((predicted.partials ?? predicted.y)?.stores)
  })
})

describe('products of bytes', () => {
  const sizes = { rows: 1024, columns: 1024, depth: 1024, slices: 1 }
  it('take the unit of i8 into i32 by rule, on a GPU and for sizes that fill it', () => {
    expect(prefersMatrixBytes(sizes, NVIDIA)).toBe(true)
    expect(chooseInteger('matmulInteger', sizes, NVIDIA).kernel).toBe('matrix')
    expect(chooseInteger('matmulInteger', { ...sizes, rows: 31 }, NVIDIA).kernel).toBe('tiled-packed')
    expect(chooseInteger('matmulInteger', sizes, { ...NVIDIA, software: true }).kernel).toBe('tiled-packed')
    expect(chooseInteger('matmulInteger', sizes, APPLE).kernel).toBe('tiled-packed')
    expect(() => chooseInteger('matmulInteger', sizes, APPLE, 'matrix')).toThrow(/lists no matrix unit that multiplies i8 into i32/)
  })
  it.each([
    ['NVIDIA', NVIDIA, '16x16x32'],
    ['Intel', INTEL, '8x16x32'],
  ])('hold a stage of both sides in what memory there is: %s', (_, device, name) => {
    for (const limit of [16384, 32768, 49152]) {
      const own = { ...device, limits: { ...device.limits, maxComputeWorkgroupStorageSize: limit } }
      expect(matrixBytesRefusal(sizes, own)).toBeUndefined()
      const core = matrixBytesCore(sizes, false, own)
      expect(core.workgroupBytes).toBeLessThanOrEqual(limit)
      expect(core.words).toContain(name)
      expect(core.constants.TILE_DEPTH).toBe(64)
      expect(core.tiles.rounds).toBe(16)
    }
    const starved = { ...device, limits: { ...device.limits, maxComputeWorkgroupStorageSize: 1024 } }
    expect(matrixBytesRefusal(sizes, starved)).toMatch(/bytes of workgroup memory, maxComputeWorkgroupStorageSize 1024$/)
  })
})

describe('loops that are written out', () => {
  it('nest, with constant indices', () => {
    const body = [
      'for (var r = 0u; r < R; r++) { // unrolled',
      '  for (var c = 0u; c < C; c++) { // unrolled',
      '    f(r, c);',
      '  }',
      '}',
    ]
    const text = unrolled(body.join('\n'), { R: 2, C: 3 })
    expect(text.match(/const r = \du;/g)).toEqual(['const r = 0u;', 'const r = 1u;'])
    expect(text.match(/const c = \du;/g)?.length).toBe(6)
    expect(text.match(/f\(r, c\);/g)?.length).toBe(6)
    expect(text).not.toContain('for')
  })
  it('need a constant bound and an end', () => {
    expect(() => unrolled('for (var r = 0u; r < R; r++) { // unrolled\n}', {})).toThrow(/bound R/)
    expect(() => unrolled('for (var r = 0u; r < R; r++) { // unrolled', { R: 1 })).toThrow(/no end/)
  })
  it('leave other loops alone', () => {
    const text = 'for (var r = 0u; r < R; r++) {\n}'
    expect(unrolled(text, { R: 2 })).toBe(text)
  })
})
