import { describe, expect, it } from 'vitest'
import { operandsOf } from '../../../src/gpu/program.ts'
import { depthwise, type DepthwiseConfig } from '../../../src/ops/conv2d/algorithms/depthwise.ts'
import type { Convolution } from '../../../src/ops/conv2d/convolution.ts'
import { FACTS } from '../facts.ts'
import { convolutionAt } from './grid.ts'

const tile: DepthwiseConfig = { algorithm: 'depthwise', form: 'tile', strip: 7, tall: 1 }
const software = { ...FACTS, software: true }

/** `channels` channels of `side`² pixels. */
function layer(
  channels: number,
  side: number,
  kernel: number,
  attributes: Readonly<Record<string, unknown>> = {},
  multiplier = 1,
): Convolution {
  const { layout = 'nhwc' } = attributes
  const x = layout === 'nhwc' ? [1, side, side, channels] : [1, channels, side, side]
  const inputs = [x, [channels * multiplier, 1, kernel, kernel], null, null]
  return convolutionAt({ inputs, attributes: { groups: channels, padding: (kernel - 1) / 2, layout, ...attributes } })
}

describe('depthwise: what it takes', () => {
  it('is groups of one channel', () => {
    const wider = convolutionAt({ inputs: [[1, 9, 9, 8], [8, 2, 3, 3], null, null], attributes: { groups: 4, layout: 'nhwc' } })
    expect(depthwise.refusal(wider, tile, software)).toBe('its groups have 2 channels, not 1')
    expect(depthwise.candidates(wider, software)).toEqual([])
    expect(depthwise.refusal(layer(8, 9, 3), tile, software)).toBeUndefined()
    expect(depthwise.refusal(layer(8, 9, 3, {}, 5), tile, software)).toBeUndefined()
  })

  it('unrolls 400 multiply-adds, not more, over two axes', () => {
    const at = (kernel: number, strip: number, tall: number): string | undefined =>
      depthwise.refusal(layer(8, 24, kernel), { ...tile, strip, tall }, software)
    expect(at(5, 16, 1)).toBeUndefined()
    expect(at(7, 8, 1)).toBeUndefined()
    expect(at(7, 9, 1)).toBe('441 multiply-adds unrolled, at most 400')
    expect(at(5, 3, 6)).toBe('450 multiply-adds unrolled, at most 400')
    const deep = convolutionAt({
      inputs: [[1, 5, 5, 5, 4], [4, 1, 2, 1, 1], null, null],
      attributes: { groups: 4, layout: 'nhwc' },
    })
    expect(depthwise.refusal(deep, tile, software)).toBe('form tile has two axes')
    expect(depthwise.candidates(deep, software).map(({ form }) => form)).toEqual(['rows'])
    expect(depthwise.candidates(layer(8, 40, 31), software).map(({ form }) => form)).toEqual(['rows'])
  })

  it.each([
    [7, 7],
    [14, 7],
    [112, 7],
    [16, 8],
    [12, 6],
    [4, 4],
  ])('rows of %i outputs are cut in strips of %i', (side, strip) => {
    expect(depthwise.candidates(layer(8, side, 3), FACTS)[0]).toEqual({ ...tile, strip })
    // In software by 4, which compile faster.
    expect(depthwise.candidates(layer(8, side, 3), software)[0]).toEqual({ ...tile, strip: 4, tall: 1 })
  })

  it('begins with short strips in nchw on GPUs, with tall ones on software', () => {
    const planes = layer(8, 28, 3, { layout: 'nchw' })
    expect(depthwise.candidates(planes, software)[0]).toEqual({ ...tile, strip: 4, tall: 2 })
    expect(depthwise.candidates(planes, FACTS)[0]).toEqual({ ...tile, strip: 2, tall: 4 })
  })
})

describe('depthwise: plan', () => {
  const planned = (conv: Convolution, config = tile) => {
    const plan = depthwise.plan(conv, config, software)
    const [dispatch] = plan.dispatches
    if (dispatch === undefined) throw new Error('There is a dispatch')
    const widths = Object.fromEntries(operandsOf(dispatch.program).map(({ name, width }) => [name, width]))
    return { ...dispatch, widths, prepared: plan.prepared }
  }

  it('loads quads of channels where each filter has its own, and stores quads where they are whole', () => {
    expect(planned(layer(8, 9, 3)).widths).toEqual({ x: 4, w: 4, y: 4 })
    expect(planned(layer(8, 9, 3, {}, 2)).widths).toEqual({ x: 1, w: 4, y: 4 })
    expect(planned(layer(7, 9, 3)).widths).toEqual({ x: 1, w: 4, y: 1 })
    expect(planned(layer(8, 9, 3, { layout: 'nchw' })).widths).toEqual({ x: 1, w: 1, y: 1 })
  })

  it('packs filters in whole quads, and takes them as they lie in nchw', () => {
    expect(planned(layer(6, 9, 3)).prepared?.map(({ type }) => type.shape)).toEqual([[9, 8]])
    expect(planned(layer(6, 9, 3, { layout: 'nchw' })).prepared).toEqual([])
  })

  it('covers outputs that lie apart for dilation, once', () => {
    // 9 outputs, 3 apart: three strips of three, of which a strip of 7 takes one each.
    const { params } = planned(layer(8, 13, 3, { dilation: 3, padding: 1 }))
    expect([params.spacing_x, params.strips_x, params.spacing_y, params.strips_y]).toEqual([3, 3, 1, 9])
    const halved = planned(layer(8, 13, 3, { dilation: 2, stride: 2, padding: 2 }))
    expect([halved.params.spacing_x, halved.program.constants?.STEP_X]).toEqual([1, 1])
  })

  it('divides by whole numbers where the reciprocal is no longer exact', () => {
    const long = (length: number): unknown => {
      const conv = convolutionAt({ inputs: [[1, length, 4], [4, 1, 1], null, null], attributes: { groups: 4, layout: 'nhwc' } })
      return planned(conv, { ...tile, strip: 1 }).program.constants?.LARGE
    }
    expect(long(2 ** 21 - 1)).toBe('false')
    expect(long(2 ** 21)).toBe('true')
  })

  it('counts what the definition does', () => {
    const conv = layer(8, 9, 3)
    expect(depthwise.work(conv, tile)).toEqual({
      multiplications: 8 * 81 * 9,
      additions: 8 * 81 * 9,
      bytes: 4 * (8 * 81 * 2 + 8 * 9),
    })
    expect(depthwise.error(conv, tile)).toBe(0)
  })
})
