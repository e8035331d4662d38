/** Measured algorithms before the rule: their keys, the order of the drawers, and what is said where one cannot run. */
import { describe, expect, it } from 'vitest'
import { choose, convolutionKey, planConvolution } from '../../../src/ops/conv2d/choose.ts'
import type { Convolution } from '../../../src/ops/conv2d/convolution.ts'
import { bareConvolution } from '../../../src/profile/autotune-model.ts'
import { FACTS } from '../facts.ts'

const PLAIN = bareConvolution('conv:8x12x10,16x3x3,p1,nhwc')
const tuned = (conv: Convolution, config: { kernel: string } | { algorithm: string }) => ({
  ...FACTS,
  tuned: new Map([[convolutionKey(conv), config]]),
})

describe('the key of a convolution', () => {
  it('says what its time depends on', () => {
    expect(convolutionKey(PLAIN)).toBe('conv 1*1*8>16 12k3s1d1p1o12 10k3s1d1p1o10 nhwc f32-f32-f32-f32')
    const others = [
      'conv:8x12x10,16x3x3,p1',
      'conv:2*8x12x10,16x3x3,p1,nhwc',
      'conv:8x12x10,16x3x3,nhwc',
      'conv:8x12x10,16x3x3,p1,s2,nhwc',
      'conv:8x12x10,16x3x3,p2,d2,nhwc',
      'conv:8x12x10,16x3x3,p1,g2,nhwc',
      'conv:8x12x10,16x5x3,p1,nhwc',
      'conv:8x12x10,16x3x3,p1,nhwc,f16',
      'conv:8x10,16x3,p1,nhwc',
      'conv:8x2x12x10,16x1x3x3,p1,nhwc',
    ].map((text) => convolutionKey(bareConvolution(text)))
    expect(new Set([convolutionKey(PLAIN), ...others]).size).toBe(others.length + 1)
    const variants: Convolution[] = [
      { ...PLAIN, residual: PLAIN.output },
      { ...PLAIN, maxError: 1e-6 },
      { ...PLAIN, place: { channels: 32, first: 16 } },
      { ...PLAIN, outputLayout: 'nchw' },
      { ...PLAIN, accumulate: 'f16' },
    ]
    expect(new Set([convolutionKey(PLAIN), ...variants.map(convolutionKey)]).size).toBe(variants.length + 1)
  })

  it('leaves out what costs next to nothing', () => {
    const bias = { dtype: 'f32', shape: [16] } as const
    expect(convolutionKey({ ...PLAIN, bias, activation: 'relu' })).toBe(convolutionKey(PLAIN))
  })
})

describe('the choice', () => {
  it('is the measured algorithm where there is one for this very problem', () => {
    const facts = tuned(PLAIN, { algorithm: 'direct' })
    expect(choose(PLAIN, FACTS)).not.toMatchObject({ config: { algorithm: 'direct' } })
    expect(choose(PLAIN, facts)).toEqual({ config: { algorithm: 'direct' }, reason: 'tuned' })
    expect(planConvolution(PLAIN, facts).reason).toMatch(/^tuned: direct/)
    expect(choose(bareConvolution('conv:8x12x10,17x3x3,p1,nhwc'), facts).reason).toMatch(/^by rule/)
  })

  it('is what the caller forces before that', () => {
    const facts = tuned(PLAIN, { algorithm: 'direct' })
    expect(planConvolution(PLAIN, facts, 'implicit-gemm').reason).toMatch(/^forced: implicit GEMM/)
  })

  it('goes by rule where the measured one cannot run, and says why', () => {
    const rule = choose(PLAIN, FACTS)
    for (const config of [{ algorithm: 'gone' }, { kernel: 'broadcast' }, { algorithm: 'implicit-gemm', rows: 'sideways' }]) {
      const { config: chosen, reason } = choose(PLAIN, tuned(PLAIN, config))
      expect(chosen).toEqual(rule.config)
      expect(reason).toMatch(/^tuned (gone|broadcast|implicit-gemm) is no kernel of this version; by rule/)
    }
    const exact = { ...PLAIN, maxError: 0 }
    expect(choose(exact, tuned(exact, { algorithm: 'winograd', ...{ tile: 4 } })).reason).toMatch(
      /^tuned winograd cannot run: its error bound is .*, and maxError .*; by rule/,
    )
  })
})
