/** What the families of tiles accept and refuse, what they propose, and that their mappings predict what their kernels load. */
import { describe, expect, it } from 'vitest'
import { gpuHardware } from '../../../models/hardware/index.ts'
import { evaluate } from '../../../src/cost/evaluate.ts'
import { OptionError } from '../../../src/errors.ts'
import type { DeviceFacts, DeviceLimits } from '../../../src/gpu/program.ts'
import { kernelMachine } from '../../../src/ops/gemm/estimate.ts'
import { familyNamed, forced } from '../../../src/ops/gemm/families.ts'
import type { Config } from '../../../src/ops/gemm/family.ts'
import { registers } from '../../../src/ops/gemm/kernels/registers.ts'
import { tiled, tiledByRule, type TiledConfig } from '../../../src/ops/gemm/kernels/tiled.ts'
import { plainProduct, type Product } from '../../../src/ops/gemm/product.ts'
import { checkMapping } from '../../../src/schedule/check.ts'
import { convProblem } from '../../../src/schedule/problem.ts'
import { FACTS } from '../facts.ts'

type Sizes = readonly [rows: number, columns: number, depth: number]

function productOf([rows, columns, depth]: Sizes, more: Partial<Product> = {}): Product {
  return { ...plainProduct('gemm', rows, columns, depth, 'f32'), ...more }
}

function facts(limits: Partial<DeviceLimits> = {}): DeviceFacts {
  return { ...FACTS, limits: { ...FACTS.limits, ...limits } }
}

const SQUARE = productOf([1024, 1024, 1024])

/** The refusal of a configuration, undefined where it is taken. */
function refused(config: object, { product = SQUARE, device = facts() } = {}): string | undefined {
  const given = { kernel: 'tiled', ...config }
  const family = familyNamed(given.kernel, 'gemm')
  return family.refusal(product, family.schema.parse(given), device)
}

describe('a configuration is refused', () => {
  const wide = { tileRows: 128, tileColumns: 128 }
  it('beyond the invocations of a workgroup', () => {
    expect(refused({ ...wide, rows: 8, columns: 8, tileDepth: 8 })).toBeUndefined()
    expect(refused({ ...wide, rows: 8, columns: 4, tileDepth: 8 })).toBe('512 invocations, maxComputeInvocationsPerWorkgroup 256')
    expect(refused({ ...wide, rows: 8, columns: 8, kernel: 'registers' })).toBeUndefined()
    const device = facts({ maxComputeInvocationsPerWorkgroup: 255 })
    expect(refused({ ...wide, rows: 8, columns: 8, kernel: 'registers' }, { device })).toMatch(/^256 invocations/)
  })
  it('beyond the memory of a workgroup, of which sums of halves take half', () => {
    // A along the depth: 128 lines of 4 quads, and one free after every fourth line; B across: 16 k of 32 quads.
    const bytes = 16 * (128 * 4 + 32 + 16 * 32)
    const config = { ...wide, rows: 8, columns: 8, tileDepth: 16 }
    const device = facts({ maxComputeWorkgroupStorageSize: bytes })
    expect(refused(config, { device })).toBeUndefined()
    expect(refused(config, { device: facts({ maxComputeWorkgroupStorageSize: bytes - 1 }) })).toBe(
      `${bytes} bytes of workgroup memory, maxComputeWorkgroupStorageSize ${bytes - 1}`,
    )
    expect(refused({ ...config, buffers: 2 }, { device })).toMatch(/^33792 bytes/)
    expect(refused({ ...config, buffers: 2 }, { device, product: { ...SQUARE, accumulate: 'f16' } })).toBeUndefined()
  })
  it('with parts of less than two steps', () => {
    const product = productOf([64, 64, 16 * 5 + 1])
    expect(refused({ splits: 3 }, { product })).toBeUndefined()
    expect(refused({ splits: 4 }, { product })).toBe('4 splits of 6 steps of depth: each needs at least 2')
    expect(refused({ splits: 2 }, { product: productOf([64, 64, 0]) })).toMatch(/2 splits of 1 steps/)
  })
  it('with parts and shares at once, or with none', () => {
    expect(refused({ splits: 2, persistent: 4 })).toMatch(/either/)
    expect(tiled.schema.safeParse({ kernel: 'tiled', persistent: 0 }).success).toBe(false)
    expect(tiled.schema.safeParse({ kernel: 'tiled', splits: 0 }).success).toBe(false)
    expect(tiled.schema.safeParse({ kernel: 'tiled', tileRows: 48 }).success).toBe(false)
    expect(tiled.schema.safeParse({ kernel: 'tiled', tile: 16 }).success).toBe(false)
  })
  it('where partial sums take more bindings than there are', () => {
    // A, B and partial sums take one binding each; two parts of Y's 4 MiB fill two bindings of 4 MiB.
    const device = facts({ maxStorageBufferBindingSize: 2 ** 22, maxStorageBuffersPerShaderStage: 4 })
    expect(refused({ splits: 2 }, { device })).toBeUndefined()
    expect(refused({ splits: 4 }, { device })).toBe(
      'with partial sums of 16777216 bytes 6 storage bindings, maxStorageBuffersPerShaderStage 4',
    )
    // Shares finish tiles too, so all operands and the partial sums meet in one kernel.
    expect(refused({ persistent: 64 }, { device })).toBeUndefined()
    expect(refused({ persistent: 129 }, { device })).toMatch(/5 storage bindings/)
  })
  it('where partial sums have too many elements', () => {
    const device = facts({ maxStorageBuffersPerShaderStage: 1000 })
    const product = productOf([8192, 8192, 8192])
    expect(refused({ splits: 31 }, { product, device })).toBeUndefined()
    expect(refused({ splits: 32 }, { product, device })).toMatch(/32-bit indices/)
  })
  it('where one of the shares would run into the watchdog', () => {
    const product = productOf([1024, 1024, 16384])
    expect(refused({ persistent: 128 }, { product })).toBeUndefined()
    expect(refused({ persistent: 1 }, { product })).toMatch(/each of 1 workgroups is estimated to run .* s, at most 0.5 s/)
    expect(refused({ persistent: 64 }, { product: productOf([2 ** 20, 2 ** 20, 2 ** 10]) })).toMatch(/fewer than 2\^31/)
  })
  it('as an error when it is forced, by limit and remedy', () => {
    const force = (config: Config) => forced(SQUARE, config, facts())
    expect(() => force({ kernel: 'tiled', buffers: 2, tileDepth: 32 } as Config)).toThrow(OptionError)
    expect(() => force({ kernel: 'tiled', buffers: 2, tileDepth: 32 } as Config)).toThrow(/33280 bytes of workgroup memory/)
    expect(() => force({ kernel: 'tiled', rows: 5 } as Config)).toThrow(/This is no configuration of kernel tiled: rows: /)
  })
  it('never at its defaults, nor at the smallest tile on the smallest device', () => {
    expect(refused({})).toBeUndefined()
    expect(refused({ kernel: 'registers' })).toBeUndefined()
    const device = facts({ maxComputeInvocationsPerWorkgroup: 16, maxComputeWorkgroupStorageSize: 2176 })
    expect(refused({ tileRows: 16, tileColumns: 16, rows: 4, columns: 4 }, { device })).toBeUndefined()
  })
})

const SIZES: readonly Sizes[] = [
  [4096, 4096, 4096],
  [1024, 1024, 1024],
  [1031, 1021, 1033],
  [128, 11008, 4096],
  [16, 4096, 4096],
  [1, 4096, 4096],
  [512, 64, 20000],
  [1664, 1664, 512],
  [7, 5, 3],
  [5, 7, 0],
]

describe('candidates', () => {
  it.each(SIZES)('of %i × %i × %i are legal, different, and not too many', (...sizes) => {
    const product = productOf(sizes)
    for (const name of ['tiled', 'registers']) {
      const family = familyNamed(name, 'gemm')
      const configs = family.candidates(product, FACTS)
      expect(configs.length).toBeGreaterThan(0)
      expect(configs.length).toBeLessThanOrEqual(12)
      expect(new Set(configs.map((config) => JSON.stringify(config))).size).toBe(configs.length)
      for (const config of configs) {
        expect(forced(product, config, FACTS)).toEqual(config)
        expect(family.plan(product, config, FACTS).reason).toMatch(/tiles of/)
      }
    }
  })
  it('are few where compiling takes longer than measuring', () => {
    const device = { ...FACTS, software: true }
    expect(tiled.candidates(SQUARE, device)).toHaveLength(3)
    expect(tiled.candidates(productOf([7, 5, 3]), device).length).toBeGreaterThan(0)
    for (const sizes of SIZES) expect(registers.candidates(productOf(sizes), device).length).toBeGreaterThan(0)
  })
  it('share out what tiles alone leave idle', () => {
    const shared = (sizes: Sizes) => tiled.candidates(productOf(sizes), FACTS).filter((c) => c.splits > 1 || c.persistent)
    expect(shared([4096, 4096, 4096])).toEqual([])
    expect(shared([256, 256, 8192]).some(({ splits }) => splits > 1)).toBe(true)
    expect(shared([1664, 1664, 512]).some(({ persistent }) => persistent !== undefined)).toBe(true)
  })
  it('by rule: the largest tile that fills the machine, else parts, else the most tiles', () => {
    const rule = (sizes: Sizes, device = facts()): Partial<TiledConfig> => {
      const { tileRows, tileColumns, splits, buffers, tileDepth } = tiledByRule(productOf(sizes), device)
      return { tileRows, tileColumns, tileDepth, buffers, splits }
    }
    const large = { tileRows: 128, tileColumns: 128, splits: 1, buffers: 2 }
    expect(rule([4096, 4096, 4096], facts({ maxComputeWorkgroupStorageSize: 49152 }))).toEqual({ ...large, tileDepth: 16 })
    expect(rule([4096, 4096, 4096], facts({ maxComputeWorkgroupStorageSize: 32768 }))).toEqual({ ...large, tileDepth: 8 })
    expect(rule([4096, 4096, 4096])).toEqual({ ...large, tileDepth: 8, buffers: 1 })
    expect(rule([1024, 1024, 1024])).toMatchObject({ tileRows: 128, tileColumns: 64, splits: 1 })
    expect(rule([256, 256, 8192])).toMatchObject({ tileRows: 64, tileColumns: 64, splits: 8 })
    expect(rule([5, 7, 3])).toMatchObject({ tileRows: 16, tileColumns: 16, splits: 1 })
    expect(rule([5, 7, 3], facts({ maxComputeInvocationsPerWorkgroup: 16 }))).toMatchObject({ tileRows: 16, splits: 1 })
  })
})

describe('a plan', () => {
  it('is one dispatch of tiles, or two where the depth is shared', () => {
    const names = (config: object, product = SQUARE) => {
      const { dispatches, temps } = tiled.plan(product, tiled.schema.parse({ kernel: 'tiled', ...config }), FACTS)
      return { names: dispatches.map(({ program, groups }) => `${program.name} ${groups}`), temps: temps.map(({ shape }) => shape) }
    }
    expect(names({})).toEqual({ names: ['gemm/tiled 256'], temps: [] })
    expect(names({ splits: 4 })).toEqual({ names: ['gemm/tiled-split 1024', 'gemm/reduce 4096'], temps: [[4, 1, 1024, 1024]] })
    expect(names({ persistent: 100 })).toEqual({ names: ['gemm/tiled-stream 100', 'gemm/tiled-fix 99'], temps: [[100, 2, 64, 64]] })
    const little = productOf([64, 64, 40])
    expect(names({ persistent: 100 }, little)).toMatchObject({ names: ['gemm/tiled-stream 3', 'gemm/tiled-fix 2'] })
  })
  it('takes four batch dimensions at once, all parts of one before those of the next', () => {
    const batch = Array.from({ length: 5 }, (_, axis) => ({ size: 2, a: 64 * 64 * 2 ** (4 - axis), b: axis % 2 === 0 ? 0 : 4096 }))
    const product = productOf([64, 64, 64], { batch })
    const plan = tiled.plan(product, tiled.schema.parse({ kernel: 'tiled', splits: 2 }), FACTS)
    const names = plan.dispatches.map(({ program, groups, params }) => [program.name, groups, params.y_offset])
    expect(names).toEqual([
      ['gemm/tiled-split', 32, 0],
      ['gemm/reduce', 256, 0],
      ['gemm/tiled-split', 32, 65536],
      ['gemm/reduce', 256, 65536],
    ])
  })
})

describe('mappings', () => {
  const EVEN: readonly (readonly [object, Sizes])[] = [
    [{ kernel: 'tiled', tileRows: 32, tileColumns: 64, rows: 4, columns: 4 }, [64, 128, 32]],
    [{ kernel: 'tiled', tileRows: 16, tileColumns: 16, rows: 4, columns: 8, splits: 2 }, [48, 32, 128]],
    [{ kernel: 'registers', tileRows: 16, tileColumns: 32, rows: 4, columns: 4 }, [32, 64, 48]],
    [{ kernel: 'registers', tileRows: 16, tileColumns: 32, rows: 4, columns: 8, splits: 2 }, [32, 64, 64]],
  ]
  const LARGE = { kernel: 'tiled', tileRows: 128, tileColumns: 128, rows: 8, columns: 8, tileDepth: 8 }

  const predicted = (given: object, sizes: Sizes, hardware: ReturnType<typeof gpuHardware>) => {
    const [P, M, C] = sizes
    const product = productOf(sizes)
    const config = forced(product, given as Config, FACTS)
    const family = familyNamed(config.kernel, 'gemm')
    const problem = convProblem({ N: 1, P, M, C: Math.max(1, C) })
    const mapping = family.mappingOf(product, config, FACTS)
    checkMapping(problem, hardware, mapping)
    return { dram: evaluate(problem, hardware, mapping).accesses.DRAM, counts: family.accesses(product, config, FACTS) }
  }

  it.each(EVEN)('of %j read what the kernel loads of %j', (config, sizes) => {
    const { dram, counts } = predicted(config, sizes, gpuHardware(FACTS))
    expect(dram?.inputs.reads).toBe(counts.a?.loads)
    expect(dram?.weights.reads).toBe(counts.b?.loads)
  })
  it('of 8 × 8 sums an invocation, where registers have no size', () => {
    const { dram, counts } = predicted(LARGE, [256, 384, 64], kernelMachine(FACTS))
    expect(dram?.inputs.reads).toBe(counts.a?.loads)
    expect(dram?.weights.reads).toBe(counts.b?.loads)
    expect(dram?.outputs.updates).toBe(counts.y?.stores)
  })
  it.each(SIZES)('of %i × %i × %i are legal at ragged edges', (...sizes) => {
    const product = productOf(sizes)
    for (const name of ['tiled', 'registers']) {
      for (const config of familyNamed(name, 'gemm').candidates(product, FACTS)) {
        const { dram } = predicted(config, sizes, kernelMachine(FACTS))
        expect(dram?.inputs.reads).toBeGreaterThan(0)
      }
    }
  })
})
