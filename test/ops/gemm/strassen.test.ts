/** Strassen's product without a GPU: blocks, multiplications, error, refusals, plan, what it is ranked by. */
import { describe, expect, it } from 'vitest'
import type { DeviceFacts } from '../../../src/gpu/program.ts'
import { byRule } from '../../../src/ops/gemm/choose.ts'
import { estimate } from '../../../src/ops/gemm/estimate.ts'
import { allCandidates, familyNamed, forced } from '../../../src/ops/gemm/families.ts'
import type { Config } from '../../../src/ops/gemm/family.ts'
import { strassen } from '../../../src/ops/gemm/kernels/strassen.ts'
import { flopsOf, plainProduct, type Product } from '../../../src/ops/gemm/product.ts'
import {
  blocksOf,
  forcedLevels,
  strassenError,
  strassenMultiplications,
  strassenTolerance,
} from '../../../src/ops/gemm/strassen.ts'
import { gamma } from '../../../src/ops/tolerance.ts'
import { sizeOf } from '../../../src/tensor/shape.ts'
import { FACTS } from '../facts.ts'

const square = (size: number): Product => plainProduct('gemm', size, size, size, 'f32')
const SOFTWARE: DeviceFacts = { ...FACTS, software: true, subgroups: { min: 8, max: 8, linear: true } }

describe('multiplications', () => {
  it('are 7/8 for each level', () => {
    const size = { rows: 1024, columns: 2048, depth: 512 }
    const all = 1024 * 2048 * 512
    expect(strassenMultiplications(size, 1)).toBe((all * 7) / 8)
    expect(strassenMultiplications(size, 2)).toBe((all * 49) / 64)
  })

  it('include what blocks are padded with', () => {
    expect(blocksOf({ rows: 33, columns: 21, depth: 18 }, 1)).toEqual({ rows: 17, columns: 12, depth: 12, products: 7 })
    expect(blocksOf({ rows: 5, columns: 5, depth: 5 }, 2)).toEqual({ rows: 2, columns: 4, depth: 4, products: 49 })
  })

  it('are those of the product that the plan holds', () => {
    for (const levels of [1, 2] as const) {
      const nest = strassen.nest?.(square(1024), { kernel: 'strassen', levels })
      if (nest === undefined) throw new Error('Strassen runs another product')
      expect(flopsOf(nest)).toBe(2 * strassenMultiplications(square(1024), levels))
    }
  })
})

describe('error', () => {
  it('grows with levels and depth, from the bound of a plain product on', () => {
    expect(strassenError(1024, 1)).toBeCloseTo((18 * (512 ** 2 + 6 * 512) - 6 * 1024) * 2 ** -24, 12)
    expect(strassenError(1024, 1)).toBeGreaterThan(gamma(1024) * 1024)
    expect(strassenError(1024, 2)).toBeGreaterThan(strassenError(1024, 1))
  })

  it('is allowed to who forces it, to nobody else', () => {
    expect([undefined, 'broadcast', { kernel: 'tiled', levels: 2 }].map(forcedLevels)).toEqual([undefined, undefined, undefined])
    expect(['strassen', { kernel: 'strassen' }, { kernel: 'strassen', levels: 2 }].map(forcedLevels)).toEqual([2, 1, 2])
    const [a, b] = [new Float32Array([1, -3]), new Float32Array([2, 0.5])]
    expect(strassenTolerance(a, b, 64, 1)).toBe(6 * strassenError(64, 1))
    expect(strassenTolerance(new Float32Array([NaN]), new Float32Array([0]), 64, 1)).toBe(Infinity)
  })
})

describe('refusals', () => {
  const refusal = (product: Product, config: object = {}): string | undefined =>
    familyNamed('strassen', 'gemm').refusal(product, { kernel: 'strassen', ...config }, FACTS)

  it('of what has no blocks', () => {
    expect(refusal(square(5), { levels: 2 })).toBeUndefined()
    expect(refusal(square(3), { levels: 2 })).toMatch(/side of 3 has no blocks on 2 levels/)
    expect(refusal(square(1))).toMatch(/side of 1/)
  })

  it('of batches, sums in f16, operands that are no floats, kernels that cannot run the blocks', () => {
    expect(refusal({ ...square(64), batch: [{ size: 3, a: 4096, b: 4096 }] })).toMatch(/3 products in a batch/)
    expect(refusal({ ...square(64), accumulate: 'f16' })).toMatch(/f32/)
    expect(refusal(plainProduct('gemm', 64, 64, 64, 'i8'))).toMatch(/i8/)
    expect(refusal(square(64), { product: { kernel: 'broadcast' } })).toMatch(/products of blocks: the device has no subgroups/)
    expect(refusal(square(64), { product: { kernel: 'tiled', tileRows: 3 } })).toMatch(/no configuration of kernel tiled/)
    expect(() => forced(square(64), { kernel: 'strassen', product: { kernel: 'vector' } } as Config, FACTS)).toThrow(
      /product.kernel/,
    )
  })
})

describe('choice', () => {
  it('is the caller’s or the tuner’s: candidates from 1024 on, never by rule', () => {
    const proposed = (size: number): unknown[] => allCandidates(square(size), FACTS).filter(({ kernel }) => kernel === 'strassen')
    expect(proposed(1023)).toEqual([])
    expect(proposed(1024)).toEqual([
      { kernel: 'strassen', levels: 1 },
      { kernel: 'strassen', levels: 2 },
    ])
    for (const device of [FACTS, SOFTWARE]) expect(byRule(square(4096), device).config.kernel).not.toBe('strassen')
  })

  it('takes the family of the device for the blocks', () => {
    expect(strassen.plan(square(1024), { kernel: 'strassen', levels: 1 }, FACTS).reason).toMatch(/one level, 7 products: tiles/)
    expect(strassen.plan(square(1024), { kernel: 'strassen', levels: 2 }, SOFTWARE).reason).toMatch(
      /two levels, 49 products: subgroup broadcast/,
    )
  })

  it('is ranked by the products of blocks and the memory that passes between', () => {
    const levels = ([1, 2] as const).map((each) => estimate(square(4096), { kernel: 'strassen', levels: each } as Config, FACTS))
    const plain = estimate(square(4096), byRule(square(4096), FACTS).config, FACTS)
    expect(levels[0]?.parts.arithmetic).toBeCloseTo((plain.parts.arithmetic * 7) / 8, 6)
    expect(levels[0]?.parts.memory).toBeGreaterThan(plain.parts.memory)
    expect(levels[1]?.parts.memory).toBeGreaterThan(levels[0]?.parts.memory ?? Infinity)
  })
})

it('makes factors of both sides, a batch of products, and the result', () => {
  const { dispatches, temps } = strassen.plan(plainProduct('gemm', 33, 21, 18, 'f32'), { kernel: 'strassen', levels: 1 }, SOFTWARE)
  expect(dispatches.map(({ program }) => program.name)).toEqual([
    'gemm/strassen_left',
    'gemm/strassen_right',
    'gemm/strassen/broadcast',
    'gemm/strassen_finish',
  ])
  expect(temps.map(({ shape }) => sizeOf(shape))).toEqual([7 * 17 * 12, 7 * 12 * 12, 7 * 17 * 12])
  expect(dispatches.map(({ bind }) => bind.map(({ kind, index }) => `${kind}${index}`))).toEqual([
    ['input0', 'input1', 'temp0'],
    ['input0', 'input1', 'temp1'],
    ['temp0', 'temp1', 'temp2'],
    ['output0', 'temp2'],
  ])
})
