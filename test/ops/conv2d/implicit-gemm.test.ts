/** Implicit GEMM without a GPU: the product that a convolution becomes, in every layout, and what it costs. */
import { describe, expect, it } from 'vitest'
import { implicitGemm, productOf } from '../../../src/ops/conv2d/algorithms/implicit-gemm.ts'
import { conv2d } from '../../../src/ops/conv2d/op.ts'
import { FACTS, planned } from '../facts.ts'
import { convolutionAt } from './grid.ts'

const LAYER = { inputs: [[2, 8, 9, 7], [12, 4, 3, 3], [12]], attributes: { groups: 2, padding: 1, stride: [2, 1] } } as const
const LAST = { inputs: [[2, 9, 7, 8], [12, 4, 3, 3], [12]], attributes: { ...LAYER.attributes, layout: 'nhwc' } } as const

describe('the product of a convolution', () => {
  it('has positions as rows; in nchw a slice for each picture and group', () => {
    const product = productOf(convolutionAt(LAYER), { rows: 'positions' })
    expect(product).toMatchObject({ rows: 5 * 7, columns: 6, depth: 9 * 4 })
    // Filters are packed in whole quads.
    expect(product.batch).toEqual([
      { size: 2, a: 8 * 63, b: 0 },
      { size: 2, a: 4 * 63, b: 36 * 8 },
    ])
    expect(product.stores).toEqual({ offset: 0, row: 1, column: 35, quad: 140, batch: [12 * 35, 6 * 35], terms: [0, 6] })
  })

  it('joins the pictures where channels lie innermost', () => {
    const product = productOf(convolutionAt(LAST), { rows: 'positions' })
    expect(product).toMatchObject({ rows: 2 * 35, columns: 6, depth: 36, batch: [{ size: 2, a: 4, b: 36 * 8 }] })
    expect(product.stores).toEqual({ offset: 0, row: 12, column: 1, quad: 4, batch: [6], terms: [6] })
  })

  it('turned over has filters as rows', () => {
    const product = productOf(convolutionAt(LAYER), { rows: 'filters' })
    expect(product).toMatchObject({ rows: 6, columns: 35, depth: 36 })
    expect(product.a.window).toBeUndefined()
    expect(product.b.window).toBeDefined()
    expect(product.epilogue.bias).toMatchObject({ row: 1, column: 0 })
  })

  it('needs no window for one tap at every position', () => {
    const plain = convolutionAt({ inputs: [[1, 6, 5, 16], [20, 16, 1, 1], null], attributes: { layout: 'nhwc' } })
    expect(productOf(plain, { rows: 'positions' }).a).toMatchObject({ line: 16, depth: 1 })
    expect(productOf(plain, { rows: 'positions' }).a.window).toBeUndefined()
    const steps = convolutionAt({ inputs: [[1, 6, 5, 16], [20, 16, 1, 1], null], attributes: { layout: 'nhwc', stride: 2 } })
    expect(productOf(steps, { rows: 'positions' }).a.window).toBeDefined()
    const padded = convolutionAt({ inputs: [[1, 6, 5, 16], [20, 16, 1, 1], null], attributes: { layout: 'nhwc', padding: 1 } })
    expect(productOf(padded, { rows: 'positions' }).a.window).toBeDefined()
  })

  it('multiplies what the definition does', () => {
    expect(implicitGemm.work(convolutionAt(LAYER), { algorithm: 'implicit-gemm', rows: 'positions' }).multiplications).toBe(
      2 * 2 * 6 * 35 * 36,
    )
  })

  it('of filters in 2:4 half of it, where a kernel skips', () => {
    const layer = convolutionAt({
      inputs: [[1, 7, 7, 64], [32, 64, 1, 1], null],
      attributes: { layout: 'nhwc', sparsity: '2:4' },
    })
    const done = (kernel: string | { kernel: string; gather: string }): number => {
      return implicitGemm.work(layer, { algorithm: 'implicit-gemm', rows: 'positions', kernel }, FACTS).multiplications
    }
    expect(done({ kernel: 'two-of-four', gather: 'select' })).toBe((49 * 64 * 32) / 2)
    expect(done({ kernel: 'two-of-four', gather: 'expand' })).toBe(49 * 64 * 32)
    expect(done('tiled')).toBe(49 * 64 * 32)
  })
})

describe('its plan', () => {
  it('prepares filters once and shares one program among layers', () => {
    const program = (x: number[], w: number[], attributes = {}): unknown =>
      planned(conv2d, [x, w, [w[0]!]], { algorithm: { algorithm: 'implicit-gemm', kernel: 'tiled' }, ...attributes }).dispatches[0]!
        .program
    const first = program([1, 27, 27, 96], [256, 96, 3, 3], { layout: 'nhwc', padding: 1 })
    expect(program([1, 13, 13, 64], [256, 64, 5, 5], { layout: 'nhwc' })).toEqual(first)
    const { prepared } = planned(conv2d, [[1, 3, 9, 9], [5, 3, 3, 3], null])
    expect(prepared).toMatchObject([{ from: 1, type: { dtype: 'f32', shape: [1, 9, 3, 8] } }])
  })

  it.each([
    ['a kernel that there is not', { kernel: 'bogus' }, /no kernel bogus/, 'nhwc'],
    ['a configuration that is none', { kernel: { kernel: 'tiled', tileRows: 7 } }, /no configuration of kernel tiled/, 'nhwc'],
    ['quads of channels as rows', { rows: 'filters' }, /columns of the product/, 'nchw4'],
  ] as const)('refuses %s', (_, config, words, layout) => {
    const x = layout === 'nhwc' ? [1, 9, 9, 4] : [1, 1, 9, 9, 4]
    const call = (): unknown =>
      planned(conv2d, [x, [8, 4, 3, 3], null], { layout, algorithm: { algorithm: 'implicit-gemm', ...config } })
    expect(call).toThrow(words)
  })

  it('has candidates in both orders, all legal, its rule first', () => {
    const conv = convolutionAt(LAST)
    const candidates = implicitGemm.candidates(conv, FACTS)
    expect(candidates[0]).toEqual({ algorithm: 'implicit-gemm', rows: 'positions' })
    expect(new Set(candidates.map(({ rows }) => rows))).toEqual(new Set(['positions', 'filters']))
    for (const config of candidates) expect(implicitGemm.refusal(conv, config, FACTS)).toBeUndefined()
  })
})
