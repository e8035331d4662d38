import { describe, expect, it } from 'vitest'
import { DtypeError, OptionError, ShapeError, UnsupportedOpError } from '../../../src/errors.ts'
import { conv2d } from '../../../src/ops/conv2d/op.ts'
import { parseAttributes } from '../../../src/ops/run.ts'
import { tensor } from '../../../src/tensor/tensor.ts'
import { inferred } from '../facts.ts'

function shapeOf(x: number[], w: number[], attributes: unknown = {}): readonly number[] {
  return inferred(conv2d, [x, w, null], attributes)[0]!.shape
}

describe('conv2d: shape rule', () => {
  it.each([
    [[1, 3, 227, 227], [96, 3, 11, 11], { strides: [4, 4] }, [1, 96, 55, 55]],
    [[1, 96, 27, 27], [256, 48, 5, 5], { group: 2, pads: [2, 2, 2, 2] }, [1, 256, 27, 27]],
    [[2, 1, 7, 8], [5, 1, 3, 3], { stride: [2, 3], padding: 1, dilation: 2 }, [2, 5, 3, 2]],
    [[1, 1, 5, 5], [1, 1, 2, 2], { auto_pad: 'SAME_UPPER', strides: [2, 2] }, [1, 1, 3, 3]],
    [[1, 1, 5, 5], [1, 1, 2, 2], { auto_pad: 'VALID', strides: [2, 2] }, [1, 1, 2, 2]],
    [[1, 2, 9], [4, 2, 3], { pads: [1, 0] }, [1, 4, 8]],
    [[0, 2, 9, 9], [4, 2, 3, 3], {}, [0, 4, 7, 7]],
  ])('%j * %j, %j → %j', (x, w, attributes, expected) => {
    expect(shapeOf(x, w, attributes)).toEqual(expected)
  })

  it('puts the odd padding of SAME at the end (upper) or the beginning (lower)', () => {
    const problem = (auto_pad: string): readonly number[] | undefined =>
      conv2d.problem?.({
        inputs: [
          { dtype: 'f32', shape: [1, 1, 5, 6] },
          { dtype: 'f32', shape: [1, 1, 4, 3] },
        ],
        values: [],
        attributes: parseAttributes(conv2d, { auto_pad }),
      })?.padding
    expect(problem('SAME_UPPER')).toEqual([1, 1, 2, 1])
    expect(problem('SAME_LOWER')).toEqual([2, 1, 1, 1])
  })

  it('is the loop nest that it says', () => {
    const attributes = parseAttributes(conv2d, { group: 2, strides: [1, 2], dilations: [2, 1], pads: [1, 2, 3, 4] })
    const inputs = [
      { dtype: 'f32', shape: [3, 4, 9, 8] },
      { dtype: 'f32', shape: [6, 2, 3, 2] },
    ] as const
    expect(conv2d.problem!({ inputs, values: [], attributes })).toEqual({
      ...{ N: 3, M: 3, C: 2, P: 9, Q: 7, R: 3, S: 2, groups: 2 },
      ...{ stride: [1, 2], dilation: [2, 1], padding: [1, 2, 3, 4] },
    })
    expect(conv2d.flops({ inputs, values: [], attributes, outputs: [] })).toBe(2 * 3 * 2 * 3 * 2 * 9 * 7 * 3 * 2)
  })

  it.each([
    ['channels', [1, 3, 5, 5], [4, 2, 3, 3], {}, ShapeError, /3 channels/],
    ['groups of filters', [1, 4, 5, 5], [5, 2, 3, 3], { group: 2 }, ShapeError, /5 filters/],
    ['a window larger than its input', [1, 1, 2, 5], [1, 1, 3, 3], {}, ShapeError, /window of 3/],
    ['a contradicting kernel', [1, 1, 5, 5], [1, 1, 3, 3], { kernel_shape: [5, 5] }, ShapeError, /kernel \[5, 5\]/],
    ['ranks', [1, 1, 5, 5], [1, 1, 3], {}, ShapeError, /not both/],
    ['4-D', [1, 1, 5, 5, 5, 5], [1, 1, 3, 3, 3, 3], {}, UnsupportedOpError, /4 spatial axes/],
    ['no algorithm', [1, 1, 5, 5], [1, 1, 3, 3], { algorithm: 3 }, OptionError, /algorithm/],
    ['two strides too many', [1, 1, 5, 5], [1, 1, 3, 3], { strides: [1, 1, 1, 1] }, ShapeError, /stride has 4/],
    ['padding twice', [1, 1, 5, 5], [1, 1, 3, 3], { auto_pad: 'SAME_UPPER', pads: [1, 1, 1, 1] }, OptionError, /SAME_UPPER/],
    ['an empty filter', [1, 1, 5, 5], [1, 1, 0, 3], {}, ShapeError, /empty/],
    ['stride 0', [1, 1, 5, 5], [1, 1, 3, 3], { strides: [0, 1] }, OptionError, /stride/],
    ['an unknown attribute', [1, 1, 5, 5], [1, 1, 3, 3], { strive: 2 }, OptionError, /strive/],
  ])('refuses %s', (_, x, w, attributes, error, words) => {
    expect(() => shapeOf(x, w, attributes)).toThrow(error)
    expect(() => shapeOf(x, w, attributes)).toThrow(words)
  })

  it('names op and dtype of what it does not take', () => {
    expect(() =>
      inferred(
        conv2d,
        [
          [1, 1, 5, 5],
          [1, 1, 3, 3],
        ],
        {},
        'i8',
      ),
    ).toThrow(DtypeError)
    expect(() =>
      inferred(
        conv2d,
        [
          [1, 1, 5, 5],
          [1, 1, 3, 3],
        ],
        {},
        'i8',
      ),
    ).toThrow(/conv2d.*i8|i8.*conv2d/)
    expect(() => inferred(conv2d, [[1, 1, 5, 5], [4, 1, 3, 3], [5]])).toThrow(/\[4\]/)
  })
})

describe('conv2d: reference', () => {
  const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3])

  it('is what a hand computes, with bias and bound', () => {
    const [y] = conv2d.reference([x, tensor([1, 0, 0, -1], [1, 1, 2, 2]), tensor([10])], parseAttributes(conv2d, {}))
    expect(Array.from(y!.tensor.values as Float32Array)).toEqual([6, 6, 6, 6])
    const bound = y!.tolerance.kind === 'bound' ? y!.tolerance.bound : []
    expect(bound[0]! / 2 ** -24).toBeCloseTo(5 * (1 + 5 + 10), 3)
  })

  it('pads, strides and dilates', () => {
    const ones = tensor([1, 1, 1, 1], [1, 1, 2, 2])
    const values = (attributes: unknown): number[] => {
      return Array.from(conv2d.reference([x, ones, null], parseAttributes(conv2d, attributes))[0]!.tensor.values as Float32Array)
    }
    expect(values({ pads: [1, 1, 0, 0] })).toEqual([1, 3, 5, 5, 12, 16, 11, 24, 28])
    expect(values({ pads: [0, 0, 1, 1], strides: [2, 2] })).toEqual([12, 9, 15, 9])
    expect(values({ dilations: [2, 2] })).toEqual([20])
  })

  it('keeps groups apart and applies the activation', () => {
    const two = tensor([1, -2, 3, 4], [1, 4, 1, 1])
    const w = tensor([1, 1, 1, -1], [2, 2, 1, 1])
    const [y] = conv2d.reference([two, w, null], parseAttributes(conv2d, { group: 2, activation: 'relu' }))
    expect(Array.from(y!.exact!)).toEqual([0, 0])
    const [z] = conv2d.reference([two, w, null], parseAttributes(conv2d, { group: 2 }))
    expect(Array.from(z!.exact!)).toEqual([-1, -1])
  })

  it('multiplies padding: an infinite weight over it is NaN', () => {
    const [y] = conv2d.reference([x, tensor([Infinity, 1], [1, 1, 1, 2]), null], parseAttributes(conv2d, { pads: [0, 1, 0, 0] }))
    expect(y!.exact![0]).toBeNaN()
  })
})
