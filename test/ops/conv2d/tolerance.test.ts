/** That the reference's tolerance tells faults from rounding, by default and for algorithms that transform, and covers no more than runs. */
import { describe, expect, it } from 'vitest'
import type { AlgorithmConfig } from '../../../src/ops/conv2d/algorithm.ts'
import { algorithmNamed, refusalOf } from '../../../src/ops/conv2d/algorithms.ts'
import { im2col } from '../../../src/ops/conv2d/algorithms/im2col.ts'
import { implicitGemm } from '../../../src/ops/conv2d/algorithms/implicit-gemm.ts'
import { winograd } from '../../../src/ops/conv2d/algorithms/winograd.ts'
import { byRule, choiceOf, unrunnable } from '../../../src/ops/conv2d/choose.ts'
import { conv2d } from '../../../src/ops/conv2d/op.ts'
import { spreadOf } from '../../../src/ops/conv2d/tolerance.ts'
import { referenceOn } from '../../../src/ops/settled.ts'
import { parseAttributes } from '../../../src/ops/run.ts'
import { compare } from '../../../src/ops/tolerance.ts'
import type { HostArray } from '../../../src/tensor/dtype.ts'
import { HostTensor } from '../../../src/tensor/tensor.ts'
import { inputsOf } from '../../cases/case.ts'
import { FACTS } from '../facts.ts'
import { convolutionAt } from './grid.ts'

const SOFTWARE = { ...FACTS, software: true }

type Weights = Exclude<HostArray, BigInt64Array>

/** What a kernel may get wrong, done to W [M, C, 3, 3]. */
const FAULTS: Readonly<Record<string, (w: Weights, channels: number) => void>> = {
  'drops a channel': (w, channels) => {
    for (let at = 0; at < w.length; at++) if (Math.floor(at / 9) % channels === 5) w[at] = 0
  },
  'scales by 1.02': (w) => {
    for (let at = 0; at < w.length; at++) w[at] = (w[at] ?? NaN) * 1.02
  },
  'misses a tap': (w) => {
    for (let at = 4; at < w.length; at += 9) w[at] = 0
  },
  'misses one weight': (w) => {
    let most = 0
    for (let at = 0; at < 9 * 16; at++) if (Math.abs(w[at] ?? 0) > Math.abs(w[most] ?? 0)) most = at
    w[most] = 0
  },
}

const CASES: readonly { dtype: 'f32' | 'f16'; channels: number; size: number; algorithm?: string | AlgorithmConfig }[] = [
  { dtype: 'f32', channels: 64, size: 14 },
  { dtype: 'f32', channels: 64, size: 14, algorithm: 'winograd' },
  { dtype: 'f32', channels: 512, size: 7 },
  { dtype: 'f32', channels: 512, size: 7, algorithm: 'winograd' },
  { dtype: 'f16', channels: 64, size: 14 },
]

describe('the tolerance of a convolution', () => {
  it.each(CASES)('tells faults from rounding: %o', ({ dtype, channels, size, algorithm }) => {
    const shapes = [[1, channels, size, size], [64, channels, 3, 3], null]
    const inputs = inputsOf({ name: '', inputs: shapes, data: 'signed' }, dtype, 7)
    const attributes = parseAttributes(conv2d, { padding: 1, ...(algorithm === undefined ? {} : { algorithm }) })
    const [reference] = conv2d.reference(inputs, attributes)
    const [x, w] = inputs
    if (reference === undefined || x === undefined || w?.values === undefined) throw new Error('There is a result')
    expect(compare(reference.tensor, reference).ok).toBe(true)
    for (const [name, spoil] of Object.entries(FAULTS)) {
      const values = w.values.slice()
      if (!(values instanceof BigInt64Array)) spoil(values, channels)
      const [wrong] = conv2d.reference(
        [x, new HostTensor(w.dtype, w.shape, values)],
        parseAttributes(conv2d, { padding: 1, algorithm: 'direct' }),
      )
      if (wrong === undefined) throw new Error('There is a result')
      expect(compare(wrong.tensor, reference), name).toMatchObject({ ok: false })
    }
  })

  it('covers what the rule takes, and on a known device that alone', () => {
    const at = (channels: number, size: number): ReturnType<typeof convolutionAt> =>
      convolutionAt({ inputs: [[1, channels, size, size], [channels, channels, 3, 3], null, null], attributes: { padding: 1 } })
    for (const [channels, size] of [
      [64, 14],
      [512, 7],
    ] as const) {
      const conv = at(channels, size)
      const { config } = byRule(conv, FACTS)
      expect(config.algorithm).toBe('winograd')
      expect(spreadOf(conv)).toMatchObject({ error: algorithmNamed('winograd', conv.op).error(conv, config) })
    }
    expect(spreadOf(at(24, 14))).toBeUndefined()
    const inputs = inputsOf({ name: '', inputs: [[1, 64, 14, 14], [64, 64, 3, 3], null], data: 'signed' }, 'f32', 7)
    const attributes = parseAttributes(conv2d, { padding: 1 })
    const largest = (device: typeof FACTS): number => {
      const [reference] = referenceOn(conv2d, inputs, attributes, device)
      if (reference?.tolerance.kind !== 'bound') throw new Error('There is a bound')
      return Math.max(...reference.tolerance.bound)
    }
    expect(choiceOf(at(64, 14), SOFTWARE).config.algorithm).toBe('implicit-gemm')
    expect(largest(SOFTWARE)).toBeLessThan(largest(FACTS))
  })

  it('of an infinity accepts anything where it may spread, and nowhere else', () => {
    const values = Float32Array.from({ length: 12 * 16 }, (_, at) => Math.sin(at + 1))
    values[12 + 1] = Infinity
    const x = new HostTensor('f32', [1, 16, 1, 12], values)
    const w = new HostTensor(
      'f32',
      [16, 16, 1, 3],
      Float32Array.from({ length: 16 * 16 * 3 }, (_, at) => Math.cos(at)),
    )
    const of = (algorithm: string): NonNullable<ReturnType<typeof conv2d.reference>[0]> => {
      const [reference] = conv2d.reference([x, w], parseAttributes(conv2d, { algorithm }))
      if (reference === undefined) throw new Error('There is a result')
      return reference
    }
    const reference = of('winograd')
    const result = (at: number, value: number): HostTensor => {
      const changed = Float32Array.from(reference.exact ?? [])
      changed[at] = value
      return new HostTensor('f32', reference.tensor.shape, changed)
    }
    // Windows 0 and 1 see it; its tile of four has two more outputs, windows up to 3 before and behind.
    for (const at of [0, 1, 2, 4])
      for (const value of [NaN, Infinity, -Infinity, 7]) expect(compare(result(at, value), reference).ok).toBe(true)
    for (const value of [NaN, Infinity, 70]) expect(compare(result(9, value), reference).ok).toBe(false)
    for (const value of [NaN, 7]) expect(compare(result(0, value), of('direct')).ok).toBe(false)
  })

  it("passes Strassen's error on, so that a caller's bound refuses it", () => {
    const conv = convolutionAt({ inputs: [[1, 16, 16, 128], [128, 128, 1, 1], null, null], attributes: { layout: 'nhwc' } })
    const kernel = { kernel: 'strassen', levels: 1 }
    for (const config of [
      { algorithm: 'im2col', kernel },
      { algorithm: 'implicit-gemm', rows: 'positions', kernel },
    ] as const) {
      const error = config.algorithm === 'im2col' ? im2col.error(conv, config) : implicitGemm.error(conv, config)
      expect(error).toBeGreaterThan(1e-6)
      expect(spreadOf(conv, config)).toMatchObject({ error, everywhere: true })
      expect(refusalOf(conv, config, FACTS)).toBeUndefined()
      expect(refusalOf({ ...conv, maxError: 1e-6 }, config, FACTS)).toMatch(/maxError/)
      expect(refusalOf({ ...conv, maxError: 1e-6 }, { algorithm: config.algorithm }, FACTS)).toBeUndefined()
    }
  })
})

describe('the rule on devices of few resources', () => {
  const conv = convolutionAt({ inputs: [[1, 16, 24, 24], [16, 16, 9, 9], null, null], attributes: { padding: 4 } })
  const large = convolutionAt({ inputs: [[1, 64, 56, 56], [64, 64, 9, 9], null, null], attributes: { padding: 4 } })

  it.each([
    ['bindings', { maxStorageBufferBindingSize: 131072, maxStorageBuffersPerShaderStage: 8 }],
    ['workgroup memory', { maxComputeWorkgroupStorageSize: 2048 }],
    ['invocations', { maxComputeInvocationsPerWorkgroup: 32 }],
  ] as const)('passes over transforms that lack %s', (_, limits) => {
    const small = { ...SOFTWARE, limits: { ...FACTS.limits, ...limits } }
    const fits = [conv, large].filter((each) => byRule(each, SOFTWARE).config.algorithm === 'fft')
    expect(fits.length).toBeGreaterThan(0)
    for (const each of fits) {
      expect(byRule(each, small).config.algorithm).not.toBe('fft')
      expect(unrunnable(each, byRule(each, SOFTWARE).config, small)).toMatch(/bindings|workgroup|invocations/)
    }
  })
})

describe('Winograd in halves', () => {
  const FORCED = { algorithm: 'winograd', tile: 2, half: true }

  it('is not chosen and not measured on data that nobody has seen, but runs where it is forced', () => {
    const point = { inputs: [[1, 64, 14, 14], [64, 64, 3, 3], null, null], attributes: { padding: 1 } }
    const halves = convolutionAt(point, 'f16')
    expect(winograd.candidates(halves, FACTS).map(({ half }) => half)).toEqual([false, false])
    expect(refusalOf(halves, FORCED, FACTS)).toBeUndefined()
  })
})
