/** Algorithms forced by name, on any convolution: each runs, or says in its own words why not. */
import { describe, expect, it } from 'vitest'
import { OptionError } from '../../../src/errors.ts'
import { ALGORITHMS, forced, refusalOf } from '../../../src/ops/conv2d/algorithms.ts'
import { winograd } from '../../../src/ops/conv2d/algorithms/winograd.ts'
import { planConvolution } from '../../../src/ops/conv2d/choose.ts'
import type { Convolution } from '../../../src/ops/conv2d/convolution.ts'
import { spreadOf } from '../../../src/ops/conv2d/tolerance.ts'
import { FACTS } from '../facts.ts'
import { convolutionAt, gridOf, type GridPoint } from './grid.ts'

function point(x: readonly number[], w: readonly number[], attributes: GridPoint['attributes'] = {}): GridPoint {
  return { inputs: [x, w, null], attributes }
}

const LEGAL = point([1, 2, 10, 10], [1, 2, 3, 3])
const GRID: readonly GridPoint[] = [
  LEGAL,
  point([1, 2, 10, 10], [1, 2, 3, 3], { stride: 2 }),
  point([1, 2, 10, 10], [1, 2, 5, 5]),
  point([1, 2, 10, 10], [1, 2, 1, 1]),
  point([1, 2, 5, 10, 10], [1, 2, 3, 3, 3]),
  point([1, 2, 30], [4, 2, 3]),
  point([1, 3, 700, 700], [4, 3, 600, 600]),
  point([1, 3, 80, 80], [4, 3, 65, 65]),
  ...gridOf(50, {}, 3),
]

describe.each([...ALGORITHMS.keys()])('%s by name', (name) => {
  it.each([FACTS, { ...FACTS, software: true }])('runs, or is refused in its own words ($software)', (device) => {
    let planned = 0
    for (const given of GRID) {
      const conv = convolutionAt(given)
      let config
      try {
        config = forced(conv, name, device)
      } catch (error) {
        expect(error).toBeInstanceOf(OptionError)
        expect(String(error)).toMatch(new RegExp(`Algorithm ${name} cannot run this convolution: \\w`))
        expect(() => planConvolution(conv, device, name)).toThrow(OptionError)
        continue
      }
      expect(refusalOf(conv, config, device)).toBeUndefined()
      expect(planConvolution(conv, device, name).dispatches.length).toBeGreaterThan(0)
      // What errs beyond the definition is allowed for, also where no choice by rule takes it.
      const error = ALGORITHMS.get(name)?.error(conv, config) ?? Number.NaN
      expect(spreadOf(conv, name)?.error ?? 0).toBeGreaterThanOrEqual(error)
      planned++
    }
    expect(planned).toBeGreaterThan(0)
  })
})

describe('Winograd by name', () => {
  const tries = (given: GridPoint): (() => unknown) => {
    return () => forced(convolutionAt(given), 'winograd', FACTS)
  }

  it('takes the tile that costs least within the bound', () => {
    const reason = (attributes: GridPoint['attributes']): string =>
      planConvolution(convolutionAt(point([1, 2, 66, 66], [1, 2, 3, 3], attributes)), FACTS, 'winograd').reason
    expect(reason({})).toMatch(/F\(4×4, 3×3\)/)
    const wide = convolutionAt(point([1, 64, 56, 56], [64, 64, 3, 3]))
    const bound = (conv: Convolution): number => winograd.error(conv, { algorithm: 'winograd', tile: 2, half: false })
    expect(reason({ maxError: bound(convolutionAt(LEGAL)) })).toMatch(/F\(2×2, 3×3\)/)
    expect(forced({ ...wide, maxError: bound(wide) }, 'winograd', FACTS)).toMatchObject({ tile: 2 })
  })

  it('is refused for its own reasons', () => {
    expect(tries(point([1, 2, 10, 10], [1, 2, 3, 3], { stride: 2 }))).toThrow(/strides are 2 and 2, not 1/)
    expect(tries(point([1, 2, 10, 10], [1, 2, 5, 5]))).toThrow(/kernel is 1×5×5/)
    expect(tries(point([1, 2, 10, 10], [1, 2, 1, 1]))).toThrow(/kernel is 1×1×1/)
    expect(tries(point([1, 2, 9, 9, 9], [1, 2, 3, 3, 3]))).toThrow(/kernel is 3×3×3/)
    expect(tries(point([1, 2, 10, 10], [1, 2, 3, 3], { maxError: 1e-9 }))).toThrow(/error bound/)
  })

  it('has tiles of 2 or 4', () => {
    const odd: { algorithm: string } & Record<string, unknown> = { algorithm: 'winograd', tile: 6 }
    expect(() => forced(convolutionAt(LEGAL), odd, FACTS)).toThrow(/tile: give 2 or 4/)
  })
})
