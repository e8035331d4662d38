import { describe, expect, it } from 'vitest'
import { OptionError, ShapeError, UnsupportedOpError } from '../../../src/errors.ts'
import { convTranspose2d } from '../../../src/ops/conv-transpose2d/op.ts'
import { phasesOf, type TransposedAxis } from '../../../src/ops/conv-transpose2d/phases.ts'
import { parseAttributes } from '../../../src/ops/run.ts'
import { tensor } from '../../../src/tensor/tensor.ts'
import { inferred, planned } from '../facts.ts'

function shapeOf(x: number[], w: number[], attributes: unknown = {}): readonly number[] {
  return inferred(convTranspose2d, [x, w, null], attributes)[0]!.shape
}

describe('convTranspose2d: shape rule', () => {
  it.each([
    [[1, 1, 3, 3], [1, 2, 3, 3], {}, [1, 2, 5, 5]],
    [[1, 64, 28, 28], [64, 32, 2, 2], { strides: [2, 2] }, [1, 32, 56, 56]],
    [[1, 1, 3, 3], [1, 2, 3, 3], { strides: [3, 2], output_padding: [1, 1] }, [1, 2, 10, 8]],
    [[1, 1, 3, 3], [1, 2, 3, 3], { strides: [3, 2], output_shape: [10, 8] }, [1, 2, 10, 8]],
    [[1, 1, 3, 3], [1, 2, 3, 3], { strides: [2, 2], auto_pad: 'SAME_UPPER' }, [1, 2, 6, 6]],
    [[1, 1, 3, 3], [1, 2, 3, 3], { strides: [3, 2], pads: [1, 2, 1, 2] }, [1, 2, 7, 3]],
    [[1, 1, 3, 3], [1, 1, 2, 2], { dilations: [2, 2] }, [1, 1, 5, 5]],
    [[2, 6, 4], [6, 5, 3], { group: 2, strides: [2] }, [2, 10, 9]],
    [[1, 1, 3, 4, 5], [1, 2, 3, 3, 3], {}, [1, 2, 5, 6, 7]],
  ])('%j with %j, %j → %j', (x, w, attributes, expected) => {
    expect(shapeOf(x, w, attributes)).toEqual(expected)
  })

  it.each([
    ['channels', [1, 3, 5, 5], [4, 2, 3, 3], {}, ShapeError, /3 channels, but W takes 4/],
    ['groups of channels', [1, 4, 5, 5], [4, 2, 3, 3], { group: 3 }, ShapeError, /do not split into 3 groups/],
    ['padding that leaves nothing', [1, 1, 1, 5], [1, 1, 3, 3], { pads: [2, 0, 1, 0] }, ShapeError, /leaves none of 3/],
    ['four axes', [1, 1, 3, 3, 3, 3], [1, 1, 3, 3, 3, 3], {}, UnsupportedOpError, /4 spatial axes/],
    ['padding twice', [1, 1, 5, 5], [1, 1, 3, 3], { auto_pad: 'SAME_UPPER', pads: [1, 1, 1, 1] }, OptionError, /SAME_UPPER/],
    ['an output shape of another rank', [1, 1, 5, 5], [1, 1, 3, 3], { output_shape: [4] }, ShapeError, /outputShape/],
  ])('refuses %s', (_, x, w, attributes, error, words) => {
    expect(() => shapeOf(x, w, attributes)).toThrow(error)
    expect(() => shapeOf(x, w, attributes)).toThrow(words)
  })
})

describe('convTranspose2d: phases', () => {
  const axis = (given: Partial<TransposedAxis>): TransposedAxis => {
    const { input = 4, kernel = 3, stride = 2, dilation = 1, before = 0 } = given
    const output = given.output ?? stride * (input - 1) + dilation * (kernel - 1) + 1 - before
    return { input, kernel, stride, dilation, before, output }
  }

  it('of a kernel as wide as its stride are one', () => {
    expect(phasesOf(axis({ kernel: 2 }))).toEqual([
      { first: 0, count: 2, outputs: 4, taps: 1, tap: 0, step: 2, dilation: 1, before: 0 },
    ])
  })

  it('meet every pair of value and tap once, those that reach an output', () => {
    for (const kernel of [1, 2, 3, 4, 5, 7])
      for (const stride of [1, 2, 3, 4, 6])
        for (const dilation of [1, 2, 3, 4])
          for (const before of [0, 1, 2, 5]) {
            const given = axis({ kernel, stride, dilation, before })
            if (given.output < 1) continue
            const pairs: string[] = []
            for (const { first, count, outputs, taps, tap, step, dilation: apart, before: zeros } of phasesOf(given))
              for (let phase = 0; phase < count; phase++)
                for (let p = 0; p < outputs; p++)
                  for (let j = 0; j < taps; j++) {
                    const value = p + j * apart - zeros
                    if (value >= 0 && value < given.input)
                      pairs.push(`${value} ${tap + phase - j * step} ${first + phase + p * stride}`)
                  }
            const wanted: string[] = []
            for (let value = 0; value < given.input; value++)
              for (let k = 0; k < kernel; k++) {
                const output = value * stride + k * dilation - before
                if (output >= 0 && output < given.output) wanted.push(`${value} ${k} ${output}`)
              }
            expect(pairs.toSorted(), JSON.stringify(given)).toEqual(wanted.toSorted())
          }
  })
})

describe('convTranspose2d: reference', () => {
  it('is what a hand computes', () => {
    const x = tensor([1, 2, 3, 4], [1, 1, 2, 2])
    const w = tensor([1, 10, 100, 1000], [1, 1, 2, 2])
    const values = (attributes: unknown): number[] => {
      const [y] = convTranspose2d.reference([x, w, null], parseAttributes(convTranspose2d, attributes))
      return Array.from(y!.tensor.values as Float32Array)
    }
    expect(values({})).toEqual([1, 12, 20, 103, 1234, 2040, 300, 3400, 4000])
    expect(values({ padding: 1 })).toEqual([1234])
    expect(values({ stride: 2 })).toEqual([1, 10, 2, 20, 100, 1000, 200, 2000, 3, 30, 4, 40, 300, 3000, 400, 4000])
    expect(values({ stride: 2, padding: [0, 0, 3, 2], outputPadding: [0, 1] })).toEqual([1, 10, 2])
  })
})

describe('convTranspose2d: plan', () => {
  const plan = (x: number[], w: number[], attributes = {}): ReturnType<typeof planned> =>
    planned(convTranspose2d, [x, w, null], attributes)

  it('chooses by filters of a group', () => {
    expect(plan([1, 8, 9, 9], [8, 16, 2, 2], { stride: 2 }).reason).toMatch(/^by rule: phases/)
    expect(plan([1, 8, 9, 9], [8, 4, 2, 2], { groups: 2 }).reason).toMatch(/^by rule: direct/)
    expect(plan([1, 8, 9, 9], [8, 5, 2, 2], { groups: 2 }).reason).toMatch(/^by rule: phases/)
    expect(plan([0, 8, 9, 9], [8, 16, 2, 2]).dispatches).toEqual([])
  })

  it('is one dispatch where the kernel is as wide as the stride, else one for each phase that differs', () => {
    const count = (kernel: number, attributes: object): number => {
      return plan([1, 8, 9, 9], [8, 16, kernel, kernel], attributes).dispatches.length
    }
    expect(count(2, { stride: 2 })).toBe(1)
    expect(count(4, { stride: 2 })).toBe(1)
    expect(count(4, { stride: 2, padding: 1 })).toBe(4)
    expect(count(3, { stride: 2 })).toBe(4)
    expect(count(3, {})).toBe(1)
  })

  it('has one program for all phases', () => {
    const { dispatches } = plan([1, 32, 19, 19], [32, 16, 3, 3], { stride: 2, padding: 1 })
    expect(new Set(dispatches.map(({ program }) => JSON.stringify(program))).size).toBe(1)
  })

  it('multiplies no zero between values', () => {
    const { dispatches } = plan([1, 8, 16, 16], [8, 16, 3, 3], { stride: 2, padding: 1, outputPadding: 1 })
    expect(dispatches.reduce((sum, { cost }) => sum + cost.flops, 0)).toBe(2 * 8 * 16 * 9 * 16 * 16)
  })

  it('refuses an algorithm that there is not, and one that cannot', () => {
    expect(() => plan([1, 8, 9, 9], [8, 16, 2, 2], { algorithm: 'winograd' })).toThrow(OptionError)
    const quads = { layout: 'nchw4', groups: 2, algorithm: 'phases' }
    expect(() => plan([1, 2, 9, 9, 4], [6, 6, 2, 2], quads)).toThrow(/begin within a quad/)
  })
})
