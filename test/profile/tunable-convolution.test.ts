/** Convolutions as the tuner takes them: who takes part, who is out and why, and the check that lets no wrong result through. */
import { describe, expect, test } from 'vitest'
import { OptionError } from '../../src/errors.ts'
import { nameOfKernel } from '../../src/gpu/tuning.ts'
import { ALGORITHMS, refusalOf } from '../../src/ops/conv2d/algorithms.ts'
import type { Convolution } from '../../src/ops/conv2d/convolution.ts'
import { conv2d } from '../../src/ops/conv2d/op.ts'
import { ratesFor } from '../../src/ops/gemm/estimate.ts'
import { plainProduct } from '../../src/ops/gemm/product.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { floatsOf } from '../../src/ops/values.ts'
import { bareConvolution, bareTask } from '../../src/profile/autotune-model.ts'
import { inTurns } from '../../src/profile/order.ts'
import { tunableConvolution } from '../../src/profile/tunable-convolution.ts'
import { tunableProduct } from '../../src/profile/tunable-product.ts'
import { HostTensor, tensor } from '../../src/tensor/tensor.ts'
import { FACTS } from '../ops/facts.ts'

const SOFTWARE = {
  ...FACTS,
  software: true,
  features: new Set(['subgroups', 'shader-f16']),
  subgroups: { min: 8, max: 8, linear: true },
}
const EXACT = { algorithm: 'direct' }

const CONVOLUTIONS: readonly (readonly [string, Record<string, unknown>])[] = [
  ['conv:3x9x7,5x3x3,p1', { padding: [1, 1, 1, 1] }],
  ['conv:2*4x9x7,6x2x3,s2,d2,g2,nhwc', { stride: [2, 2], dilation: [2, 2], groups: 2, layout: 'nhwc' }],
  ['conv:2*8x9x7,6x3x3,p1,nchw4', { padding: [1, 1, 1, 1], layout: 'nchw4' }],
  ['conv:5x11,4x3,p2,nhwc', { padding: [2, 2], layout: 'nhwc' }],
  ['conv:2x4x5x6,3x2x3x1,p1', { padding: [1, 1, 1, 1, 1, 1] }],
  ['conv:6x9x9,6x3x3,g6,f16', { groups: 6 }],
  // So large that elements and rows are sampled.
  ['conv:64x40x40,64x3x3,p1', { padding: [1, 1, 1, 1] }],
]

function rightResult(conv: Convolution, operands: readonly (HostTensor | null)[], attributes: Record<string, unknown>): HostTensor {
  const [result] = conv2d.reference(operands, parseAttributes(conv2d, attributes))
  if (result === undefined) throw new Error('no result')
  return new HostTensor(conv.output.dtype, conv.output.shape, result.tensor.values)
}

describe('the check', () => {
  test.each(CONVOLUTIONS)('%s: the reference passes, wrong elements do not', (text, attributes) => {
    for (const residual of [false, true]) {
      const plain = bareConvolution(text)
      const conv = residual ? { ...plain, residual: plain.output } : plain
      const exam = tunableConvolution(conv).exam()
      const right = rightResult(conv, exam.operands, attributes)
      const counts = exam.check(right, EXACT)
      expect(counts.fault).toBeUndefined()
      expect(Math.min(counts.elements, counts.rows)).toBeGreaterThan(0)
      const values = floatsOf(right)
      // Past the last channel in quads lies what is nobody's.
      const places = conv.layout === 'nchw4' ? [0, 1, values.length - 3] : [0, values.length - 1, Math.floor(values.length * 0.6)]
      for (const at of places) {
        for (const wrong of [values[at]! + 1, NaN, Infinity]) {
          const other = Float32Array.from(values)
          other[at] = wrong
          expect(exam.check(tensor(other, conv.output.shape, conv.output.dtype), EXACT).fault).toMatch(/^row \d+/)
        }
      }
      expect(exam.check(tensor(values.slice(1), [values.length - 1], conv.output.dtype), EXACT).fault).toMatch(/in place of/)
    }
  })

  test('of an algorithm that transforms allows its own bound, and no more', () => {
    const conv = bareConvolution('conv:16x12x12,8x3x3,p1,nhwc')
    const exam = tunableConvolution(conv).exam()
    const right = rightResult(conv, exam.operands, { padding: [1, 1, 1, 1], layout: 'nhwc' })
    const winograd = { algorithm: 'winograd', tile: 2, half: false }
    const near = floatsOf(right).map((value) => value * (1 + 2 ** -23) + 2 ** -18)
    const y = tensor(near, conv.output.shape)
    expect(exam.check(y, winograd).fault).toBeUndefined()
    expect(exam.check(y, EXACT).fault).toMatch(/^row 0/)
    expect(
      exam.check(
        tensor(
          near.map((value, at) => (at === 77 ? value + 1 : value)),
          conv.output.shape,
        ),
        winograd,
      ).fault,
    ).toMatch(/within/)
  })
})

describe('who takes part', () => {
  const names = (configs: readonly ({ kernel: string } | { algorithm: string })[]): Set<string> =>
    new Set(configs.map(nameOfKernel))

  test('every algorithm that fits, each plan once, all legal and estimated', () => {
    const conv = bareConvolution('conv:64x28x28,64x3x3,p1,nhwc')
    const problem = tunableConvolution(conv)
    const now = problem.chosen(SOFTWARE)
    const { others } = problem.contenders(SOFTWARE)
    expect([...names([now.config, ...others])]).toEqual(expect.arrayContaining(['direct', 'implicit-gemm', 'winograd']))
    const plans = [now.config, ...others].map((config) => JSON.stringify(problem.plan(config, SOFTWARE).dispatches))
    expect(new Set(plans).size).toBe(plans.length)
    for (const config of others) {
      if (!('algorithm' in config)) throw new Error('a kernel of products')
      expect(refusalOf(conv, config, SOFTWARE)).toBeUndefined()
      const { seconds } = problem.estimate(config, SOFTWARE, ratesFor(SOFTWARE))
      expect(seconds).toBeGreaterThan(0)
      expect(seconds).toBeLessThan(10)
    }
  })

  test('not those that err by more than the caller allows: out, with the reason', () => {
    const conv = { ...bareConvolution('conv:64x28x28,64x3x3,p1,nhwc'), maxError: 0 }
    const problem = tunableConvolution(conv)
    const { others, refused } = problem.contenders(SOFTWARE)
    const errs = [...ALGORITHMS.values()].filter((one) =>
      one.candidates({ ...conv, maxError: 1 }, SOFTWARE).some((c) => one.error(conv, c) > 0),
    )
    expect(errs.map(({ name }) => name)).toContain('winograd')
    for (const { name } of errs) expect(names(others)).not.toContain(name)
    expect([...names(refused.map(({ config }) => config))]).toContain('winograd')
    for (const { reason } of refused) expect(reason).toMatch(/^its error bound is .*, and maxError 0/)
    expect(others.length).toBeGreaterThan(0)
  })
})

test('a result with its place in a larger map is tuned by itself, by algorithms that can store there', () => {
  const conv = { ...bareConvolution('conv:64x28x28,64x3x3,p1,nhwc'), place: { channels: 96, first: 32 } }
  const problem = tunableConvolution(conv)
  expect(problem.output.shape).toEqual([1, 28, 28, 64])
  const { others } = problem.contenders(SOFTWARE)
  expect(others.length).toBeGreaterThan(0)
  for (const config of others) {
    if (!('algorithm' in config)) throw new Error('a kernel of products')
    expect(refusalOf(conv, config, SOFTWARE)).toBeUndefined()
    expect(problem.plan(config, SOFTWARE).dispatches.length).toBeGreaterThan(0)
  }
})

describe('the order', () => {
  const one = (config: { kernel: string } | { algorithm: string }, seconds: number) => ({
    config,
    estimate: {
      ...tunableProduct(plainProduct('matmul', 8, 8, 8, 'f32')).estimate({ kernel: 'tiled' }, FACTS, ratesFor(FACTS)),
      seconds,
    },
  })

  test('of algorithms is the best of each, then the second of each; kernels of products keep theirs', () => {
    const algorithms = [
      one({ algorithm: 'a' }, 1),
      one({ algorithm: 'a' }, 2),
      one({ algorithm: 'a' }, 3),
      one({ algorithm: 'b' }, 4),
    ]
    expect(inTurns(algorithms).map(({ estimate }) => estimate.seconds)).toEqual([1, 4, 2, 3])
    const kernels = [one({ kernel: 'a' }, 1), one({ kernel: 'a' }, 2), one({ kernel: 'b' }, 3)]
    expect(inTurns(kernels)).toEqual(kernels)
  })
})

describe('bare convolutions', () => {
  test('as text', () => {
    expect(bareConvolution('conv:64x56x56,128x3x3,s2,p1')).toMatchObject({
      batch: 1,
      groups: 1,
      channels: 64,
      filters: 128,
      layout: 'nchw',
      output: { dtype: 'f32', shape: [1, 128, 28, 28] },
    })
    expect(bareConvolution('conv:8*32x112x112,32x3x3,p1,g32,nhwc,f16')).toMatchObject({
      batch: 8,
      groups: 32,
      channels: 1,
      filters: 1,
      output: { dtype: 'f16', shape: [8, 112, 112, 32] },
    })
    expect(bareTask('conv:3x8x8,4x3x3')?.problem.sizes).toEqual({
      text: '3×8×8, 4×3×3, nchw f32',
      dtype: 'f32',
      flops: 2 * 4 * 36 * 27,
    })
  })

  test('over one axis and three', () => {
    expect(bareConvolution('conv:64x1000,128x9,p4').output.shape).toEqual([1, 128, 1000])
    expect(bareConvolution('conv:16x8x56x56,32x3x3x3,p1,nhwc').output.shape).toEqual([1, 8, 56, 56, 32])
  })

  test.each([
    'conv:',
    'conv:3x8x8',
    'conv:3x8x8,4x3',
    'conv:3,4',
    'conv:3x8x8,4x3x3,q1',
    'conv:3x8x8,4x3x3,s1,s2',
    'conv:3x8x8,4x3x3,g0',
    'conv:0x8x8,4x3x3',
  ])('%s is none', (text) => {
    expect(() => bareTask(text)).toThrow(OptionError)
    expect(() => bareTask(text)).toThrow(/names no convolution/)
  })

  test('sizes that do not fit are the op’s own fault', () => {
    expect(() => bareTask('conv:3x2x2,4x3x3')).toThrow(/ShapeError|window|kernel|fit/)
    expect(() => bareTask('conv:4x8x8,3x3x3,g2')).toThrow(/3 filters do not split into 2 groups/)
    expect(() => bareTask('conv:64x56x56,128x3x3,g3')).toThrow(/64 channels do not split into 3 groups/)
  })
})
