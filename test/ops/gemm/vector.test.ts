/** What the vector family accepts, how its lanes lie, what it proposes, and that its mapping predicts what its kernel loads. */
import { describe, expect, it } from 'vitest'
import { evaluate } from '../../../src/cost/evaluate.ts'
import type { DeviceFacts, DeviceLimits } from '../../../src/gpu/program.ts'
import { kernelMachine } from '../../../src/ops/gemm/estimate.ts'
import { familyNamed, forced } from '../../../src/ops/gemm/families.ts'
import type { Config } from '../../../src/ops/gemm/family.ts'
import { vector, vectorByRule, type VectorConfig } from '../../../src/ops/gemm/kernels/vector.ts'
import { plainProduct, type Product } from '../../../src/ops/gemm/product.ts'
import { checkMapping } from '../../../src/schedule/check.ts'
import { convProblem } from '../../../src/schedule/problem.ts'
import { FACTS } from '../facts.ts'

type Sizes = readonly [rows: number, columns: number, depth: number]

function productOf([rows, columns, depth]: Sizes, along = false, dtype: 'f32' | 'f16' = 'f32'): Product {
  const across = plainProduct('matmul', rows, columns, depth, dtype)
  return along ? { ...across, b: { input: 1, type: { dtype, shape: [columns, depth] }, line: depth, depth: 1 } } : across
}

const SUBGROUPS: DeviceFacts = {
  ...FACTS,
  features: new Set(['shader-f16', 'subgroups']),
  subgroups: { min: 32, max: 32, linear: true },
}
const SOFTWARE: DeviceFacts = { ...SUBGROUPS, software: true, subgroups: { min: 8, max: 8, linear: true } }

function facts(limits: Partial<DeviceLimits>): DeviceFacts {
  return { ...FACTS, limits: { ...FACTS.limits, ...limits } }
}

function parsed(config: object): VectorConfig {
  return vector.schema.parse({ kernel: 'vector', ...config })
}

const ROW = productOf([1, 4096, 4096])

describe('a configuration is refused', () => {
  const refused = (config: object, product = ROW, device = FACTS): string | undefined =>
    vector.refusal(product, parsed(config), device)

  it('for more than 16 rows', () => {
    expect(refused({}, productOf([16, 8, 8]))).toBeUndefined()
    expect(refused({}, productOf([17, 8, 8]))).toBe('17 rows, at most 16')
  })
  it('beyond the invocations of a workgroup', () => {
    expect(refused({ across: 16, along: 16 })).toBeUndefined()
    expect(refused({ across: 16, along: 32 })).toBe('512 invocations, maxComputeInvocationsPerWorkgroup 256')
    const device = facts({ maxComputeInvocationsPerWorkgroup: 128 })
    expect(refused({ across: 16, along: 8 }, ROW, device)).toBeUndefined()
    expect(refused({ across: 16, along: 16 }, ROW, device)).toMatch(/^256 invocations/)
  })
  it('beyond the memory of a workgroup, which shares alone take', () => {
    const device = facts({ maxComputeWorkgroupStorageSize: 4095 })
    expect(refused({ across: 16, along: 16 }, ROW, device)).toBe(
      '4096 bytes of workgroup memory, maxComputeWorkgroupStorageSize 4095',
    )
    expect(refused({ across: 16, along: 8 }, ROW, device)).toBeUndefined()
    expect(refused({ across: 64, along: 1 }, ROW, device)).toBeUndefined()
    const within = { ...SUBGROUPS, limits: device.limits }
    expect(refused({ across: 8, along: 32, subgroups: true }, productOf([1, 64, 64], true), within)).toBeUndefined()
    expect(refused({ across: 8, along: 32, subgroups: true }, productOf([1, 64, 64]), within)).toMatch(/workgroup memory/)
  })
  it('with subgroups where there are none, or lanes are in no order', () => {
    expect(refused({ subgroups: true })).toBe('the device has no subgroups')
    const shuffled = { ...SUBGROUPS, subgroups: { min: 8, max: 32, linear: false } }
    expect(refused({ subgroups: true }, ROW, shuffled)).toMatch(/not in order/)
    expect(refused({ subgroups: true }, ROW, { ...shuffled, subgroups: { min: 8, max: 32, linear: true } })).toBeUndefined()
  })
  it('with parts of less than two steps of depth', () => {
    expect(refused({ parts: 4 }, productOf([1, 8, 29]))).toBeUndefined()
    expect(refused({ parts: 4 }, productOf([1, 8, 28]))).toMatch(/4 splits of 7 steps/)
  })
  it('when it is none', () => {
    for (const config of [{ across: 3 }, { along: 512 }, { strips: 16 }, { parts: 0 }, { parts: 1025 }, { rows: 4 }]) {
      expect(vector.schema.safeParse({ kernel: 'vector', ...config }).success, JSON.stringify(config)).toBe(false)
    }
  })
})

describe('lanes', () => {
  const constantsOf = (product: Product, config: object, device = SUBGROUPS) => {
    const { dispatches, reason } = vector.plan(product, parsed(config), device)
    const [first] = dispatches
    return {
      ...first?.program.constants,
      groups: first?.groups,
      requires: first?.program.requires,
      reason,
      count: dispatches.length,
    }
  }

  it('lie over the columns where B lies across, along the depth where it lies along', () => {
    const config = { across: 4, along: 64 }
    expect(constantsOf(ROW, config)).toMatchObject({ ACROSS_STEP: 1, ALONG_STEP: 4, groups: 256, count: 1 })
    expect(constantsOf(productOf([1, 4096, 4096], true), config)).toMatchObject({ ACROSS_STEP: 64, ALONG_STEP: 1, groups: 256 })
    // Of odd sizes too.
    expect(constantsOf(productOf([1, 4093, 4099], true), config)).toMatchObject({ ACROSS_STEP: 64, ALONG_STEP: 1, groups: 256 })
    expect(constantsOf(productOf([1, 4093, 4099]), config)).toMatchObject({ ACROSS_STEP: 1, ALONG_STEP: 4, groups: 256 })
  })
  it('keep sums of a power of two of rows', () => {
    const rows = [1, 2, 3, 5, 8, 9, 16].map(
      (count) => vector.plan(productOf([count, 8, 8]), parsed({}), FACTS).dispatches[0]?.program.constants?.['ROWS'],
    )
    expect(rows).toEqual([1, 2, 4, 8, 8, 16, 16])
  })
  it('meet as many rows at a time as 16 KiB hold, 4 at most', () => {
    const product = productOf([16, 8, 8])
    expect(constantsOf(product, { across: 4, along: 64 })).toMatchObject({ MEET_ROWS: 4 })
    const large = { ...SUBGROUPS, limits: { ...SUBGROUPS.limits, maxComputeInvocationsPerWorkgroup: 1024 } }
    expect(constantsOf(product, { across: 4, along: 128 }, large)).toMatchObject({ MEET_ROWS: 2 })
    expect(constantsOf(product, { across: 4, along: 256 }, large)).toMatchObject({ MEET_ROWS: 1 })
    expect(constantsOf(productOf([1, 8, 8]), { across: 4, along: 64 })).toMatchObject({ MEET_ROWS: 1 })
    expect(constantsOf(product, { along: 1, strips: 2 })).toMatchObject({ MEET_ROWS: 1 })
    expect(constantsOf(product, { across: 4, along: 64, strips: 2 })).toMatchObject({ MEET_ROWS: 2 })
  })
  it('ask for subgroups only where they meet in them', () => {
    expect(constantsOf(ROW, { along: 8 }).requires).toBeUndefined()
    expect(constantsOf(ROW, { along: 1, subgroups: true }).requires).toBeUndefined()
    expect(constantsOf(ROW, { along: 8, subgroups: true }).requires).toEqual(['subgroups'])
  })
  it('share the depth in parts of whole quads, which a second dispatch adds up', () => {
    const { dispatches, temps } = vector.plan(productOf([3, 10, 41]), parsed({ parts: 3, across: 1 }), FACTS)
    expect(dispatches.map(({ program }) => program.name)).toEqual(['matmul/vector', 'matmul/reduce'])
    expect(dispatches[0]?.params).toMatchObject({ parts: 3, part_depth: 16 })
    expect(dispatches[0]?.groups).toBe(9)
    expect(temps).toEqual([{ dtype: 'f32', shape: [3, 1, 3, 12] }])
  })
})

describe('candidates', () => {
  const DEVICES: readonly (readonly [string, DeviceFacts])[] = [
    ['of no subgroups', FACTS],
    ['of subgroups of 32', SUBGROUPS],
    ['of subgroups of 8 to 32', { ...SUBGROUPS, subgroups: { min: 8, max: 32, linear: true } }],
    ['of 1024 invocations', { ...SUBGROUPS, limits: { ...FACTS.limits, maxComputeInvocationsPerWorkgroup: 1024 } }],
    ['of few invocations', facts({ maxComputeInvocationsPerWorkgroup: 100 })],
    ['in software', SOFTWARE],
    ['in software without subgroups', { ...FACTS, software: true }],
  ]
  const SIZES: readonly Sizes[] = [
    [1, 4096, 4096],
    [1, 11008, 4096],
    [16, 4096, 11008],
    [1, 1, 1],
    [3, 17, 0],
    [5, 4093, 4099],
    [1, 3, 1_000_003],
    [16, 100_000, 3],
  ]

  it.each(DEVICES)('on a device %s are legal, distinct, at most a dozen', (_, device) => {
    for (const sizes of SIZES) {
      for (const along of [false, true]) {
        for (const dtype of ['f32', 'f16'] as const) {
          const product = productOf(sizes, along, dtype)
          const configs = vector.candidates(product, device)
          expect(configs.length).toBeGreaterThan(0)
          expect(configs.length).toBeLessThanOrEqual(12)
          expect(new Set(configs.map((config) => JSON.stringify(config))).size).toBe(configs.length)
          for (const config of configs) expect(forced(product, config, device)).toEqual(config)
        }
      }
    }
  })
  it('are none for more rows', () => {
    expect(vector.candidates(productOf([17, 64, 64]), SUBGROUPS)).toEqual([])
  })
  it('begin with loads of whole lines and enough workgroups', () => {
    const first = (sizes: Sizes, along: boolean, dtype: 'f32' | 'f16' = 'f32') => {
      const product = productOf(sizes, along, dtype)
      const [config] = vector.candidates(product, SUBGROUPS)
      if (config === undefined) throw new Error('no candidate')
      return { ...config, groups: vector.plan(product, config, SUBGROUPS).dispatches[0]?.groups }
    }
    expect(first([1, 4096, 4096], false)).toMatchObject({ across: 4, along: 64, parts: 1, groups: 256 })
    expect(first([1, 4096, 4096], false, 'f16')).toMatchObject({ across: 8, along: 32, parts: 2, groups: 256 })
    expect(first([1, 11008, 4096], false)).toMatchObject({ across: 8, along: 32, parts: 1, groups: 344 })
    expect(first([1, 4096, 4096], true)).toMatchObject({ across: 4, along: 64, parts: 1, groups: 256 })
    expect(first([1, 1024, 4096], true)).toMatchObject({ across: 1, along: 256, parts: 1, groups: 256 })
    // Few columns: the depth is shared by workgroups.
    expect(first([1, 64, 65536], true)).toMatchObject({ across: 1, along: 256, parts: 16, groups: 256 })
    // Little depth: no more lanes along it than it has quads.
    expect(first([1, 65536, 64], true)).toMatchObject({ across: 4, along: 16, parts: 1 })
  })
  it('in software walk memory in order', () => {
    const [across] = vector.candidates(ROW, SOFTWARE)
    expect(across).toMatchObject({ across: 8, along: 1, strips: 4, parts: 128 })
    const [along] = vector.candidates(productOf([1, 4096, 4096], true), SOFTWARE)
    expect(along).toMatchObject({ across: 1, along: 8, parts: 1, subgroups: true })
    const [near] = vector.candidates(productOf([1, 256, 4096]), SOFTWARE)
    expect(near).toMatchObject({ parts: 1 })
  })
  it('by rule leave to others what they do better', () => {
    const rule = (rows: number, columns: number, along: boolean, device: DeviceFacts) =>
      vectorByRule(productOf([rows, columns, 4096], along), device)
    expect(rule(16, 4096, true, SUBGROUPS)).toEqual(vector.candidates(productOf([16, 4096, 4096], true), SUBGROUPS)[0])
    expect(rule(17, 4096, true, SUBGROUPS)).toBeUndefined()
    expect(rule(2, 4096, true, SOFTWARE)).toMatchObject({ across: 1, along: 8 })
    expect(rule(3, 4096, true, SOFTWARE)).toBeUndefined()
    expect(rule(3, 4096, true, { ...FACTS, software: true })).toMatchObject({ along: 1 })
    expect(rule(3, 1024, false, SOFTWARE)).toMatchObject({ across: 8, strips: 2, parts: 128 })
    expect(rule(3, 1023, false, SOFTWARE)).toBeUndefined()
    expect(rule(8, 4096, false, SOFTWARE)).toMatchObject({ across: 8, strips: 2, parts: 128 })
    expect(rule(9, 4096, false, SOFTWARE)).toBeUndefined()
  })
})

describe('the mapping', () => {
  const EVEN: readonly (readonly [object, Sizes])[] = [
    [{ across: 8, along: 4 }, [1, 64, 64]],
    [{ across: 4, along: 2, strips: 2 }, [2, 96, 32]],
    [{ across: 2, along: 1, parts: 4 }, [4, 16, 64]],
    [{ across: 1, along: 16, parts: 2 }, [16, 12, 256]],
  ]
  it.each(EVEN)('of %j reads what the kernel loads of %j', (config, sizes) => {
    const [P, M, C] = sizes
    const problem = convProblem({ N: 1, P, M, C })
    for (const along of [false, true]) {
      const product = productOf(sizes, along)
      const mapping = vector.mappingOf(product, parsed(config), FACTS)
      const machine = kernelMachine(FACTS)
      checkMapping(problem, machine, mapping)
      const { DRAM } = evaluate(problem, machine, mapping).accesses
      const counts = vector.accesses(product, parsed(config), FACTS)
      expect(DRAM?.inputs.reads).toBe(counts.a?.loads)
      expect(DRAM?.weights.reads).toBe(counts.b?.loads)
      expect(counts.b?.loads).toBe(M * C)
    }
  })
  it('is legal at ragged edges', () => {
    for (const sizes of [
      [1, 1, 1],
      [3, 37, 71],
      [16, 5, 1001],
    ] as const) {
      const [P, M, C] = sizes
      const problem = convProblem({ N: 1, P, M, C })
      for (const device of [FACTS, SUBGROUPS, SOFTWARE]) {
        const configs: readonly Config[] = familyNamed('vector', 'matmul').candidates(productOf(sizes), device)
        expect(configs.length).toBeGreaterThan(0)
        for (const config of configs) {
          const mapping = familyNamed('vector', 'matmul').mappingOf(productOf(sizes), config, device)
          checkMapping(problem, kernelMachine(device), mapping)
          expect(evaluate(problem, kernelMachine(device), mapping).accesses['DRAM']?.weights.reads).toBeGreaterThan(0)
        }
      }
    }
  })
})
