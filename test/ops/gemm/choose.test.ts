/** Every boundary of the choice of a product's kernel, without a GPU. */
import { describe, expect, it } from 'vitest'
import { OptionError } from '../../../src/errors.ts'
import type { DeviceFacts } from '../../../src/gpu/program.ts'
import { byRule, choose, planProduct, productKey } from '../../../src/ops/gemm/choose.ts'
import { normalised, plainProduct, type Product } from '../../../src/ops/gemm/product.ts'
import { FACTS } from '../facts.ts'

function product(rows: number, columns: number, depth: number, dtype: 'f32' | 'f16' = 'f32', more: Partial<Product> = {}): Product {
  return { ...plainProduct('gemm', rows, columns, depth, dtype), ...more }
}

const GPU: DeviceFacts = {
  ...FACTS,
  features: new Set(['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix']),
  language: new Set(['subgroup_id']),
  limits: { ...FACTS.limits, maxComputeWorkgroupStorageSize: 49_152, maxComputeInvocationsPerWorkgroup: 1024 },
  subgroups: { min: 32, max: 32, linear: true },
  matrices: [{ M: 16, N: 16, K: 16, component: 'f16', result: 'f32' }],
}
const SOFTWARE: DeviceFacts = { ...GPU, software: true, subgroups: { min: 8, max: 8, linear: true } }

const kernel = (given: Product, device: DeviceFacts): string => choose(given, device).config.kernel

describe('the rule on a GPU', () => {
  it('reads the matrix once up to 16 rows', () => {
    expect(kernel(product(1, 4096, 4096), GPU)).toBe('vector')
    expect(kernel(product(16, 4096, 4096), GPU)).toBe('vector')
    expect(kernel(product(17, 4096, 4096), GPU)).toBe('tiled')
    expect(kernel(product(16, 4096, 4096, 'f16'), GPU)).toBe('vector')
    expect(kernel(product(17, 4096, 4096, 'f16'), GPU)).toBe('matrix')
  })

  it('takes a single column as a row', () => {
    expect(byRule(normalised(product(4096, 1, 512)), GPU).config.kernel).toBe('vector')
  })

  it('gives halves to matrix units, unless a side is shorter than a fragment', () => {
    expect(kernel(product(1024, 1024, 1024, 'f16'), GPU)).toBe('matrix')
    expect(kernel(product(1024, 16, 1024, 'f16'), GPU)).toBe('matrix')
    expect(kernel(product(1024, 15, 1024, 'f16'), GPU)).toBe('tiled')
    expect(kernel(product(1024, 1024, 16, 'f16'), GPU)).toBe('matrix')
    expect(kernel(product(1024, 1024, 15, 'f16'), GPU)).toBe('tiled')
    expect(kernel(product(1024, 1024, 1024), GPU)).toBe('tiled')
  })

  it.each<[string, Partial<DeviceFacts>]>([
    ['no matrix units are listed', { matrices: [] }],
    ['they give another result', { matrices: [{ M: 16, N: 16, K: 16, component: 'f16', result: 'f16' }] }],
    ['shader-f16 is missing', { features: new Set(['subgroups', 'chromium-experimental-subgroup-matrix']) }],
    ['the subgroups have no one size', { subgroups: { min: 8, max: 32, linear: true } }],
  ])('tiles halves where %s', (_, facts) => {
    expect(kernel(product(1024, 1024, 1024, 'f16'), { ...GPU, ...facts })).toBe('tiled')
  })

  it('makes tiles as large as the grid and the limits allow, and splits the depth where the grid stays small', () => {
    const tile = (given: Product, device = GPU) => byRule(given, device).config
    expect(tile(product(4096, 4096, 4096))).toMatchObject({ tileRows: 128, tileColumns: 128, rows: 8, columns: 8, splits: 1 })
    expect(tile(product(512, 512, 512))).toMatchObject({ kernel: 'tiled' })
    expect(tile(product(512, 512, 512))).not.toMatchObject({ tileRows: 128, tileColumns: 128, splits: 1 })
    const narrow = tile(product(64, 64, 8192)) as { splits?: number }
    expect(narrow.splits).toBeGreaterThan(1)
    const least = { ...FACTS, features: new Set<string>() }
    expect(planProduct(product(1031, 1021, 1033), least).dispatches.length).toBeGreaterThan(0)
  })
})

describe('the rule on a software adapter', () => {
  it('broadcasts over subgroups of one size, with as many rows as there are, up to 32', () => {
    expect(kernel(product(2, 512, 512), SOFTWARE)).toBe('vector')
    expect(byRule(product(3, 512, 512), SOFTWARE).config).toMatchObject({ kernel: 'broadcast', rows: 4, strips: 2 })
    expect(byRule(product(5, 512, 512), SOFTWARE).config).toMatchObject({ kernel: 'broadcast', rows: 8, strips: 2 })
    expect(byRule(product(9, 512, 512), SOFTWARE).config).toMatchObject({ kernel: 'broadcast', rows: 16, strips: 2 })
    expect(byRule(product(16, 512, 512), SOFTWARE).config).toMatchObject({ kernel: 'broadcast', rows: 16, strips: 2 })
    expect(byRule(product(17, 512, 512), SOFTWARE).config).toMatchObject({ kernel: 'broadcast', rows: 16, strips: 1 })
    // From 10⁹ operations on, 32 rows at once.
    expect(byRule(product(500, 1000, 999), SOFTWARE).config).toMatchObject({ kernel: 'broadcast', rows: 16 })
    expect(byRule(product(500, 1000, 1000), SOFTWARE).config).toMatchObject({ kernel: 'broadcast', rows: 32 })
    // Where rows of B lie pages apart, B is walked in parts.
    expect(kernel(product(8, 1024, 512), SOFTWARE)).toBe('vector')
    expect(kernel(product(9, 1024, 512), SOFTWARE)).toBe('broadcast')
    expect(kernel(product(512, 512, 512, 'f16'), SOFTWARE)).toBe('broadcast')
  })

  it('tiles where lanes are out of order, of several sizes, or not there', () => {
    const { subgroups: _, ...without } = SOFTWARE
    for (const device of [
      without,
      { ...SOFTWARE, subgroups: { min: 4, max: 8, linear: true } },
      { ...SOFTWARE, subgroups: { min: 8, max: 8, linear: false } },
    ]) {
      expect(kernel(product(64, 64, 64), device)).toBe('tiled')
    }
  })
})

describe('what was measured, and what is forced', () => {
  const given = product(64, 64, 64)
  const tuned = (config: { kernel: string }): DeviceFacts => ({ ...GPU, tuned: new Map([[productKey(given), config]]) })

  it('takes a tuned kernel before the rule, and says so', () => {
    const device = tuned({ kernel: 'registers' })
    expect(choose(given, device)).toMatchObject({ config: { kernel: 'registers' }, reason: 'tuned' })
    expect(kernel(product(64, 64, 65), device)).toBe('tiled')
  })

  it('says why a tuned kernel was not taken', () => {
    const choice = choose(given, tuned({ kernel: 'matrix' }))
    expect(choice.config.kernel).toBe('tiled')
    expect(choice.reason).toMatch(/tuned matrix .*these matrix units multiply f16/)
    expect(choose(given, tuned({ kernel: 'bogus' })).reason).toMatch(/bogus is no kernel/)
  })

  it('never switches from a forced kernel', () => {
    expect(planProduct(given, GPU, 'registers').reason).toMatch(/^forced: /)
    expect(() => planProduct(given, GPU, 'matrix')).toThrow(OptionError)
    expect(() => planProduct(given, GPU, 'bogus')).toThrow(/There is no kernel bogus/)
    expect(() => planProduct(given, GPU, { kernel: 'tiled', tileRows: 17 } as { kernel: string })).toThrow(/tileRows/)
    expect(() => planProduct(product(17, 64, 64), GPU, 'vector')).toThrow(/17 rows, at most 16/)
    expect(() => planProduct(given, FACTS, 'broadcast')).toThrow(/no subgroups/)
  })

  it('keys by sizes, batch, dtypes and how the operands lie', () => {
    const keys = [
      given,
      product(64, 64, 65),
      product(64, 64, 64, 'f16'),
      product(64, 64, 64, 'f16', { accumulate: 'f16' }),
      product(64, 64, 64, 'f16', { output: { dtype: 'f32', shape: [64, 64] } }),
      product(64, 64, 64, 'f32', { b: { ...given.b, line: 64, depth: 1 } }),
      product(64, 64, 64, 'f32', { batch: [{ size: 3, a: 4096, b: 0 }] }),
    ].map(productKey)
    expect(new Set(keys).size).toBe(keys.length)
  })

  it('plans nothing for an empty result, but still refuses what cannot be', () => {
    expect(planProduct(product(0, 64, 64), GPU).dispatches).toEqual([])
    expect(() => planProduct(product(0, 64, 64), GPU, 'bogus')).toThrow(OptionError)
  })
})
