/** The kernels of products with weights in 2:4: what they refuse, when they are chosen and why. Without a GPU. */
import { describe, expect, it } from 'vitest'
import { evaluate } from '../../../src/cost/evaluate.ts'
import type { DeviceFacts } from '../../../src/gpu/program.ts'
import { byRule, choose, planProduct, productKey } from '../../../src/ops/gemm/choose.ts'
import { estimate, kernelMachine } from '../../../src/ops/gemm/estimate.ts'
import { allCandidates, familyNamed } from '../../../src/ops/gemm/families.ts'
import { twoOfFour } from '../../../src/ops/gemm/kernels/two-of-four.ts'
import { PANEL, plainProduct, type Product } from '../../../src/ops/gemm/product.ts'
import { convProblem } from '../../../src/schedule/problem.ts'
import { wordsOf } from '../../../src/sparsity/two-of-four.ts'
import { FACTS } from '../facts.ts'

function sparse(rows: number, columns: number, depth: number, share = 1, dtype: 'f32' | 'f16' = 'f32'): Product {
  const words = wordsOf(depth)
  const panels = Math.ceil(columns / PANEL)
  return {
    ...plainProduct('sparseMatmul', rows, columns, depth, dtype),
    b: {
      input: 1,
      type: { dtype, shape: [panels, 16 * words, PANEL] },
      line: 1,
      depth: PANEL,
      sparse: {
        positions: {
          input: 5,
          type: { dtype: 'u32', shape: share === 1 ? [panels, words, PANEL] : [words, Math.ceil(columns / share)] },
        },
        bits: dtype === 'f16' ? 16 : 32,
        share,
      },
    },
  }
}

const { subgroups: _none, ...WITHOUT } = FACTS
const GPU: DeviceFacts = {
  ...FACTS,
  features: new Set(['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix']),
  language: new Set(['subgroup_id']),
  limits: { ...FACTS.limits, maxComputeWorkgroupStorageSize: 49_152, maxComputeInvocationsPerWorkgroup: 1024 },
  subgroups: { min: 32, max: 32, linear: true },
  matrices: [{ M: 16, N: 16, K: 16, component: 'f16', result: 'f32' }],
}
const SOFTWARE: DeviceFacts = { ...GPU, software: true, subgroups: { min: 8, max: 8, linear: true } }

describe('the rule for 2:4', () => {
  const config = (product: Product, device: DeviceFacts) => byRule(product, device).config

  it('in software exchanges values, over as many columns as leave workgroups enough', () => {
    expect(config(sparse(1, 4096, 4096), SOFTWARE)).toMatchObject({ kernel: 'two-of-four', gather: 'shuffle', rows: 1, strips: 4 })
    expect(config(sparse(2, 1024, 4096), SOFTWARE)).toMatchObject({ kernel: 'two-of-four', gather: 'shuffle', rows: 2, strips: 4 })
    expect(config(sparse(2, 1023, 4096), SOFTWARE)).toMatchObject({ strips: 2 })
    expect(config(sparse(2, 256, 4096), SOFTWARE)).toMatchObject({ strips: 2 })
    expect(config(sparse(2, 255, 4096), SOFTWARE)).toMatchObject({ strips: 1 })
    expect(config(sparse(9, 4096, 4096), SOFTWARE)).toMatchObject({ kernel: 'two-of-four', rows: 16 })
    expect(config(sparse(17, 4096, 4096), SOFTWARE)).toMatchObject({ kernel: 'two-of-four', gather: 'shuffle', rows: 16 })
    expect(byRule(sparse(17, 4096, 4096), SOFTWARE).reason).toMatch(/2:4 on a software adapter/)
  })

  it('in software without subgroups expands: few rows once in registers, many as dense kernels stage them', () => {
    const alone = { ...WITHOUT, software: true }
    expect(config(sparse(16, 4096, 4096), alone)).toMatchObject({ kernel: 'two-of-four', gather: 'expand' })
    expect(config(sparse(17, 4096, 4096, 4), alone).kernel).toBe('tiled')
  })

  it('in software leaves many rows that are a window to the dense kernels', () => {
    const given = sparse(17, 64, 36)
    const axis = { input: 17, kernel: 1, stride: 1, dilation: 1, before: 0, after: 0, output: 17 }
    const window = {
      axes: [axis, axis, axis],
      channels: 36,
      strides: { picture: 0, channel: 1, quad: 4, z: 0, y: 0, x: 36 },
      order: 'taps',
    } as const
    const product: Product = { ...given, a: { ...given.a, line: 0, depth: 0, window } }
    expect(config(product, SOFTWARE).kernel).toBe('broadcast')
    expect(config({ ...product, rows: 16 }, SOFTWARE).kernel).toBe('two-of-four')
  })

  it('on a GPU selects for two rows, expands once for more, and leaves many to the dense kernels', () => {
    expect(config(sparse(1, 4096, 4096), GPU)).toMatchObject({ gather: 'select', across: 8, along: 32, parts: 1 })
    expect(config(sparse(2, 4096, 4096), GPU)).toMatchObject({ gather: 'select', rows: 2 })
    expect(config(sparse(3, 4096, 4096), GPU)).toMatchObject({ gather: 'expand', rows: 4 })
    expect(config(sparse(16, 4096, 4096), GPU)).toMatchObject({ kernel: 'two-of-four', gather: 'expand' })
    expect(config(sparse(17, 4096, 4096), GPU).kernel).toBe('tiled')
    expect(config(sparse(17, 4096, 4096, 1, 'f16'), GPU).kernel).toBe('matrix')
    expect(config(sparse(17, 4096, 4096, 32), GPU).kernel).toBe('tiled')
    expect(choose(sparse(1, 64, 64), WITHOUT).config).toMatchObject({ kernel: 'two-of-four', gather: 'select' })
  })

  it('never touches a dense product', () => {
    for (const rows of [1, 16, 64]) {
      expect(allCandidates(plainProduct('gemm', rows, 64, 64, 'f32'), GPU).map(({ kernel }) => kernel)).not.toContain('two-of-four')
    }
  })

  it('keys what was measured by the pattern', () => {
    const keys = [sparse(4, 64, 64), sparse(4, 64, 64, 4), plainProduct('sparseMatmul', 4, 64, 64, 'f32')].map(productKey)
    expect(new Set(keys).size).toBe(3)
    const tuned = new Map([[keys[0] ?? '', { kernel: 'two-of-four', gather: 'select', rows: 4 }]])
    expect(choose(sparse(4, 64, 64), { ...GPU, tuned })).toMatchObject({ config: { gather: 'select' }, reason: 'tuned' })
  })
})

describe('what is refused, by name', () => {
  const given = sparse(4, 64, 64)
  it.each<[string, Product, { kernel: string }, DeviceFacts, RegExp]>([
    ['dense weights', plainProduct('gemm', 4, 64, 64, 'f32'), { kernel: 'two-of-four' }, GPU, /not packed in 2:4/],
    ['no subgroups', given, { kernel: 'two-of-four' }, WITHOUT, /no subgroups/],
    [
      'subgroups of several sizes',
      given,
      { kernel: 'two-of-four' },
      { ...GPU, subgroups: { min: 8, max: 32, linear: true } },
      /no one size/,
    ],
    ['half a subgroup', given, { kernel: 'two-of-four' }, GPU, /8 lanes over the columns are no whole subgroups of 32/],
    ['too many lanes', given, config({ across: 128, along: 16 }), GPU, /2048 invocations, maxComputeInvocationsPerWorkgroup 1024/],
    ['parts of less than two words', given, config({ across: 32, parts: 2 }), GPU, /2 splits of 2 steps/],
    ['Strassen', sparse(512, 512, 512), { kernel: 'strassen' }, GPU, /kernel strassen|packed in 2:4/],
    ['Strassen on one level', sparse(512, 512, 512), config({ kernel: 'strassen', levels: 1 }), GPU, /B is packed in 2:4/],
    [
      'direct loads of matrix units',
      sparse(64, 64, 64, 1, 'f16'),
      config({ kernel: 'matrix', rows: 1, columns: 1, subgroupRows: 1, subgroupColumns: 1, steps: 1, buffers: 1, direct: true }),
      GPU,
      /packed in 2:4, and direct loads expand nothing/,
    ],
  ])('%s', (_, product, kernel, device, message) => {
    expect(() => planProduct(product, device, kernel)).toThrow(message)
  })

  function config(sizes: Record<string, unknown>): { kernel: string } {
    return { kernel: 'two-of-four', ...sizes }
  }
})

describe('candidates and what they are expected to cost', () => {
  const SIZES = [
    [1, 4096, 4096],
    [3, 37, 67],
    [16, 1000, 333],
    [64, 512, 512],
  ] as const

  it.each(SIZES)('%i × %i × %i: all are legal, their loops cover what they multiply', (rows, columns, depth) => {
    for (const device of [GPU, SOFTWARE, WITHOUT]) {
      const product = sparse(rows, columns, depth)
      const configs = twoOfFour.candidates(product, device)
      expect(configs.length).toBeGreaterThan(0)
      expect(configs.length).toBeLessThanOrEqual(12)
      for (const each of configs) {
        expect(twoOfFour.refusal(product, each, device)).toBeUndefined()
        const nest = twoOfFour.nest?.(product, each) ?? product
        expect(nest.depth).toBe(each.gather === 'expand' ? depth : 16 * wordsOf(depth))
        const problem = convProblem({ N: 1, P: rows, M: columns, C: nest.depth })
        const { macs } = evaluate(problem, kernelMachine(device), twoOfFour.mappingOf(product, each, device))
        expect(macs).toBeGreaterThanOrEqual(rows * columns * Math.min(depth, nest.depth))
        expect(estimate(product, each, device).seconds).toBeGreaterThan(0)
      }
    }
  })

  it('moves fewer bytes than the dense product, and multiplies half', () => {
    const kept = sparse(1, 4096, 4096)
    const plain = plainProduct('linear', 1, 4096, 4096, 'f32')
    const dense = { ...plain, b: { ...plain.b, line: 4096, depth: 1 } }
    for (const device of [GPU, SOFTWARE]) {
      const own = estimate(kept, byRule(kept, device).config, device)
      const other = estimate(dense, byRule(dense, device).config, device)
      // Values are half, seats a thirty-second: 17 / 32 of the weights.
      expect(own.parts.memory / other.parts.memory).toBeCloseTo(17 / 32, 2)
      expect(own.parts.arithmetic / other.parts.arithmetic).toBeCloseTo(0.5, 2)
    }
    expect(familyNamed('two-of-four', 'x').accesses(kept, byRule(kept, GPU).config, GPU)['b']?.loads).toBe(8 * 1024 * 1024)
  })
})
