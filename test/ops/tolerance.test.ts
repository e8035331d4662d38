import { describe, expect, it } from 'vitest'
import { ShapeError } from '../../src/errors.ts'
import type { ReferenceOutput, Tolerance } from '../../src/ops/op.ts'
import { compare, gamma } from '../../src/ops/tolerance.ts'
import { tensor } from '../../src/tensor/tensor.ts'

function reference(values: number[], tolerance: Tolerance, dtype: 'f32' | 'f16' = 'f32'): ReferenceOutput {
  return { tensor: tensor(values, [values.length], dtype), exact: Float64Array.from(values), tolerance }
}
function bound(...values: number[]): Tolerance {
  return { kind: 'bound', bound: Float64Array.from(values) }
}

describe('gamma', () => {
  it('is K·u / (1 − K·u)', () => {
    expect(gamma(0)).toBe(0)
    expect(gamma(1)).toBe(2 ** -24 / (1 - 2 ** -24))
    expect(gamma(4, 0.125)).toBe(1)
  })
  it('is infinite where K·u reaches 1', () => {
    expect(gamma(2 ** 24)).toBe(Infinity)
  })
})

describe('compare', () => {
  it('takes what lies within the bound, and not what lies beyond it', () => {
    const expected = reference([1, 2], bound(0.5, 0.5))
    expect(compare(tensor([1.5, 2]), expected)).toMatchObject({ maxAbs: 0.5, maxRelative: 0.5, ok: true, worstIndex: 0 })
    expect(compare(tensor([1.25, 2.625]), expected)).toMatchObject({ ok: false, worstIndex: 1, maxAbs: 0.625, maxRelative: 0.3125 })
  })
  it('says −1 where nothing differs', () => {
    expect(compare(tensor([1, 2]), reference([1, 2], bound(0, 0)))).toEqual({
      maxAbs: 0,
      maxRelative: 0,
      maxRatio: 0,
      ok: true,
      worstIndex: -1,
    })
  })
  it('takes NaN for NaN and an infinity for the same infinity', () => {
    const expected = reference([NaN, Infinity, -Infinity], bound(NaN, Infinity, Infinity))
    expect(compare(tensor([NaN, Infinity, -Infinity]), expected).ok).toBe(true)
    expect(compare(tensor([0, Infinity, -Infinity]), expected)).toMatchObject({ ok: false, worstIndex: 0, maxAbs: NaN })
    expect(compare(tensor([NaN, 3e38, -Infinity]), expected)).toMatchObject({ ok: false, worstIndex: 1 })
    expect(compare(tensor([NaN, -Infinity, -Infinity]), expected).ok).toBe(false)
  })
  it('refuses a NaN or an infinity for a number, however wide the bound', () => {
    expect(compare(tensor([NaN]), reference([1], bound(1e30))).ok).toBe(false)
    expect(compare(tensor([Infinity]), reference([1], bound(1e30))).ok).toBe(false)
  })
  it('lets a device flush subnormal numbers, and nothing larger', () => {
    expect(compare(tensor([0]), reference([1e-40], bound(0))).ok).toBe(true)
    expect(compare(tensor([0]), reference([1e-37], bound(0))).ok).toBe(false)
  })
  it('allows an f16 result its rounding, to infinity too', () => {
    const expected = reference([1 + 2 ** -11, 65519.99, 2 ** -25], bound(0, 1, 0), 'f16')
    expect(compare(tensor([1, Infinity, 0], [3], 'f16'), expected).ok).toBe(true)
    expect(compare(tensor([1 + 2 ** -9, 65504, 0], [3], 'f16'), expected)).toMatchObject({ ok: false, worstIndex: 0 })
    expect(compare(tensor([1, -Infinity, 0], [3], 'f16'), expected).ok).toBe(false)
  })
  it('is exact on demand', () => {
    const exact: Tolerance = { kind: 'exact' }
    expect(compare(tensor([3], [1], 'i64'), { tensor: tensor([3], [1], 'i64'), tolerance: exact }).ok).toBe(true)
    expect(compare(tensor([4], [1], 'i64'), { tensor: tensor([3], [1], 'i64'), tolerance: exact }).ok).toBe(false)
    expect(compare(tensor([1 + 2 ** -23]), reference([1], exact)).ok).toBe(false)
  })
  it('measures relative tolerances by the expected value', () => {
    const loose: Tolerance = { kind: 'relative', relative: 0.1, absolute: 0.5 }
    expect(compare(tensor([110.4]), reference([100], loose)).ok).toBe(true)
    expect(compare(tensor([110.6]), reference([100], loose)).ok).toBe(false)
  })
  it('does not compare what differs in shape or dtype', () => {
    expect(() => compare(tensor([1, 2]), reference([1], bound(0)))).toThrow(ShapeError)
    expect(() => compare(tensor([1], [1], 'f16'), reference([1], bound(0)))).toThrow(ShapeError)
  })
})
