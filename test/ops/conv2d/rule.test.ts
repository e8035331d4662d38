/** The choice by rule, boundary by boundary, without a GPU. */
import { describe, expect, it } from 'vitest'
import { OptionError } from '../../../src/errors.ts'
import type { DeviceFacts } from '../../../src/gpu/program.ts'
import { ALGORITHMS, allCandidates, forced, refusalOf } from '../../../src/ops/conv2d/algorithms.ts'
import { byRule, planConvolution } from '../../../src/ops/conv2d/choose.ts'
import { FACTS } from '../facts.ts'
import { convolutionAt, gridOf, type GridPoint } from './grid.ts'

const SOFTWARE: DeviceFacts = { ...FACTS, software: true }
const GPU = FACTS

function point(x: readonly number[], w: readonly number[], attributes: GridPoint['attributes'] = {}): GridPoint {
  return { inputs: [x, w, null], attributes: { layout: 'nhwc', ...attributes } }
}

describe('by rule', () => {
  it.each([
    ['one channel a group', point([1, 9, 9, 8], [8, 1, 3, 3], { groups: 8 }), SOFTWARE, 'depthwise'],
    ['one channel a group, any multiplier', point([1, 9, 9, 8], [24, 1, 3, 3], { groups: 8 }), GPU, 'depthwise'],
    ['4 channels', point([1, 9, 9, 4], [24, 4, 3, 3]), GPU, 'direct-tiled'],
    ['5 channels', point([1, 9, 9, 5], [24, 5, 3, 3]), GPU, 'implicit-gemm'],
    ['9 filters', point([1, 9, 9, 24], [9, 24, 3, 3]), GPU, 'direct-tiled'],
    ['10 filters', point([1, 9, 9, 24], [10, 24, 3, 3]), GPU, 'implicit-gemm'],
    ['groups of 16', point([1, 9, 9, 32], [32, 16, 3, 3], { groups: 2 }), SOFTWARE, 'direct-tiled'],
    ['groups of 17', point([1, 9, 9, 34], [34, 17, 3, 3], { groups: 2 }), SOFTWARE, 'implicit-gemm'],
    ['9 filters of single taps', point([1, 9, 9, 24], [9, 24, 1, 1]), SOFTWARE, 'direct-tiled'],
    ['9 filters of single taps, nchw', point([1, 24, 9, 9], [9, 24, 1, 1], { layout: 'nchw' }), SOFTWARE, 'implicit-gemm'],
    ['3×3, 32 channels, in software', point([1, 182, 182, 32], [32, 32, 3, 3], { padding: 1 }), SOFTWARE, 'winograd'],
    [
      '3×3, less than 300 M multiply-adds, in software',
      point([1, 56, 56, 64], [64, 64, 3, 3], { padding: 1 }),
      SOFTWARE,
      'implicit-gemm',
    ],
    ['3×3, 31 channels', point([1, 200, 200, 31], [32, 31, 3, 3], { padding: 1 }), SOFTWARE, 'implicit-gemm'],
    ['3×3, 31 filters', point([1, 200, 200, 32], [31, 32, 3, 3], { padding: 1 }), SOFTWARE, 'implicit-gemm'],
    ['3×3, 32 channels, on a GPU', point([1, 56, 56, 32], [32, 32, 3, 3], { padding: 1 }), GPU, 'implicit-gemm'],
    ['3×3, 64 channels, on a GPU', point([1, 56, 56, 64], [64, 64, 3, 3], { padding: 1 }), GPU, 'winograd'],
    ['3×3, few positions', point([1, 6, 6, 64], [64, 64, 3, 3]), GPU, 'implicit-gemm'],
    ['3×3, stride 2', point([1, 56, 56, 64], [64, 64, 3, 3], { stride: 2 }), GPU, 'implicit-gemm'],
    ['3×3, dilation 2', point([1, 56, 56, 64], [64, 64, 3, 3], { dilation: 2 }), GPU, 'implicit-gemm'],
    ['1×1', point([1, 56, 56, 64], [64, 64, 1, 1]), GPU, 'implicit-gemm'],
    ['11×11, in software', point([1, 56, 56, 64], [64, 64, 11, 11], { padding: 5 }), SOFTWARE, 'fft'],
    ['11×11, on a GPU', point([1, 56, 56, 64], [64, 64, 11, 11], { padding: 5 }), GPU, 'implicit-gemm'],
    ['11×11, stride 2', point([1, 56, 56, 64], [64, 64, 11, 11], { stride: 2 }), SOFTWARE, 'implicit-gemm'],
    ['5×5, one channel', point([1, 224, 224, 1], [32, 1, 5, 5], { padding: 2 }), SOFTWARE, 'direct-tiled'],
    ['7×7, one channel', point([1, 224, 224, 1], [64, 1, 7, 7], { padding: 3 }), SOFTWARE, 'direct-tiled'],
    ['5×5', point([1, 56, 56, 64], [64, 64, 5, 5]), GPU, 'implicit-gemm'],
  ] as const)('%s', (_, given, device, algorithm) => {
    expect(byRule(convolutionAt(given), device).config.algorithm).toBe(algorithm)
  })

  it('has filters as rows of the product where Y then lies in line', () => {
    const at = (layout: string, filters: number, device: DeviceFacts): unknown => {
      const x = layout === 'nchw' ? [1, 24, 9, 9] : [1, 9, 9, 24]
      return byRule(convolutionAt(point(x, [filters, 24, 1, 1], { layout })), device).config
    }
    expect(at('nchw', 9, SOFTWARE)).toMatchObject({ rows: 'filters' })
    expect(at('nchw', 10, SOFTWARE)).toMatchObject({ rows: 'positions' })
    expect(at('nchw', 10, GPU)).toMatchObject({ rows: 'filters' })
    expect(at('nhwc', 10, GPU)).toMatchObject({ rows: 'positions' })
  })

  it('respects the error that a caller allows, and says why an algorithm is refused', () => {
    const strict = convolutionAt(point([1, 56, 56, 64], [64, 64, 3, 3], { maxError: 1e-9 }))
    expect(byRule(strict, SOFTWARE).config.algorithm).toBe('implicit-gemm')
    const tiles = { algorithm: 'winograd', tile: 4 }
    expect(refusalOf(strict, tiles, SOFTWARE)).toMatch(/error bound is .*, and maxError 1\.0e-9/)
    expect(() => forced(strict, tiles, SOFTWARE)).toThrow(OptionError)
  })

  it('refuses F(4×4, 3×3) with transforms in halves, whose bound is too large, unless the caller allows it', () => {
    const halves = { algorithm: 'winograd', tile: 4, half: true }
    const f16 = convolutionAt(point([1, 56, 56, 64], [64, 64, 3, 3]), 'f16')
    expect(refusalOf(f16, halves, SOFTWARE)).toMatch(/error bound/)
    const lenient = convolutionAt(point([1, 56, 56, 64], [64, 64, 3, 3], { maxError: 0.5 }), 'f16')
    expect(refusalOf(lenient, halves, SOFTWARE)).toBeUndefined()
  })
})

describe('whatever the convolution', () => {
  it.each([
    ['software', SOFTWARE],
    ['a GPU', GPU],
  ] as const)('the choice is legal and every candidate plans, on %s', (_, device) => {
    const points = gridOf(60, {}, 11)
    let candidates = 0
    for (const given of points) {
      const conv = convolutionAt(given)
      const { config } = byRule(conv, device)
      expect(refusalOf(conv, config, device)).toBeUndefined()
      for (const candidate of allCandidates(conv, device)) {
        expect(planConvolution(conv, device, candidate).dispatches.length).toBeGreaterThan(0)
        const { multiplications, bytes } = ALGORITHMS.get(candidate.algorithm)!.work(conv, candidate)
        expect(multiplications).toBeGreaterThan(0)
        expect(bytes).toBeGreaterThan(0)
        candidates++
      }
    }
    expect(candidates).toBeGreaterThan(120)
  })
})
