import { describe, expect, it } from 'vitest'
import { DtypeError, ShapeError, UnsupportedOpError } from '../../src/errors.ts'
import { batchNorm } from '../../src/ops/batch-norm/op.ts'
import { lrn } from '../../src/ops/lrn/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { softmax } from '../../src/ops/softmax/op.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { inferred, planned } from './facts.ts'

describe('lrn', () => {
  it('sums over neighbouring channels, fewer at the ends', () => {
    const [y] = lrn.reference([tensor([1, 2, 3, 4], [1, 4, 1])], parseAttributes(lrn, { size: 3, alpha: 3, beta: 1, bias: 1 }))
    expect(Array.from(y!.exact!)).toEqual([1 / 6, 2 / 15, 3 / 30, 4 / 26])
  })
  it('takes one channel more above than below for an even size', () => {
    const [y] = lrn.reference([tensor([1, 2, 3], [1, 3, 1])], parseAttributes(lrn, { size: 2, alpha: 2, beta: 1, bias: 0 }))
    expect(Array.from(y!.exact!)).toEqual([1 / 5, 2 / 13, 3 / 9])
  })
  it('refuses other dtypes and ranks', () => {
    expect(() => inferred(lrn, [[1, 3, 2]], { size: 3 }, 'i32')).toThrow(DtypeError)
    expect(() => inferred(lrn, [[3]], { size: 3 })).toThrow(ShapeError)
  })
})

describe('batchNorm', () => {
  it('is what a hand computes', () => {
    const one = (value: number) => tensor([value])
    const [y] = batchNorm.reference(
      [tensor([3, 5], [1, 1, 2]), one(2), one(10), one(1), one(3.75)],
      parseAttributes(batchNorm, { epsilon: 0.25 }),
    )
    expect(Array.from(y!.exact!)).toEqual([12, 14])
  })
  it('refuses training and statistics per element', () => {
    const shapes = [[2, 3], [3], [3], [3], [3]]
    expect(inferred(batchNorm, shapes, { momentum: 0.5, training_mode: 0 })[0]!.shape).toEqual([2, 3])
    expect(() => inferred(batchNorm, shapes, { training_mode: 1 })).toThrow(UnsupportedOpError)
    expect(() => inferred(batchNorm, shapes, { spatial: 0 })).toThrow(UnsupportedOpError)
    expect(() => inferred(batchNorm, [[2, 3], [3], [3], [2], [3]])).toThrow(/mean/)
  })
})

describe('softmax', () => {
  it('normalises along the axis, or whole rows of the old matrix', () => {
    const x = tensor([0, Math.log(3), 0, 0], [1, 2, 2])
    const values = (attributes: unknown): number[] =>
      Array.from(softmax.reference([x], parseAttributes(softmax, attributes))[0]!.exact!, (value) => Math.round(value * 1e4) / 1e4)
    expect(values({})).toEqual([0.25, 0.75, 0.5, 0.5])
    expect(values({ axis: 1 })).toEqual([0.5, 0.75, 0.5, 0.25])
    expect(values({ legacy: true })).toEqual([0.1667, 0.5, 0.1667, 0.1667])
  })
  it('survives large values', () => {
    const [y] = softmax.reference([tensor([10000, 10001])], parseAttributes(softmax, {}))
    expect(y!.exact![1]).toBeCloseTo(1 / (1 + Math.exp(-1)), 12)
  })
  it('refuses an axis out of range', () => {
    expect(() => inferred(softmax, [[2, 3]], { axis: 2 })).toThrow(ShapeError)
    expect(() => inferred(softmax, [[2, 3]], { axis: 3, legacy: true })).toThrow(ShapeError)
    expect(inferred(softmax, [[2, 3]], { axis: 2, legacy: true })[0]!.shape).toEqual([2, 3])
  })
  it('plans short rows by the invocation and long ones by the workgroup', () => {
    expect(planned(softmax, [[130, 32]]).dispatches[0]).toMatchObject({ program: { name: 'softmax/serial' }, groups: 3 })
    expect(planned(softmax, [[130, 33]]).dispatches[0]).toMatchObject({ program: { name: 'softmax/lanes' }, groups: 130 })
    expect(planned(softmax, [[0, 33]]).dispatches).toEqual([])
  })
})
