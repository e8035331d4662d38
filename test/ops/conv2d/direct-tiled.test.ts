import { describe, expect, it } from 'vitest'
import { operandsOf } from '../../../src/gpu/program.ts'
import { directTiled, type DirectTiledConfig } from '../../../src/ops/conv2d/algorithms/direct-tiled.ts'
import type { Convolution } from '../../../src/ops/conv2d/convolution.ts'
import { layoutShape, type Layout } from '../../../src/ops/layout.ts'
import { FACTS } from '../facts.ts'
import { convolutionAt } from './grid.ts'

interface Sizes {
  readonly channels: number
  readonly filters: number
  readonly side?: number
  readonly kernel?: number
  readonly groups?: number
  readonly stride?: number
  readonly layout?: Layout
}

function layer({ channels, filters, side = 28, kernel = 3, groups = 1, stride = 1, layout = 'nhwc' }: Sizes): Convolution {
  const inputs = [layoutShape(layout, 1, channels, [side, side]), [filters, channels / groups, kernel, kernel], [filters], null]
  return convolutionAt({ inputs, attributes: { groups, padding: Math.floor(kernel / 2), stride, layout } })
}

const tiled = (config: Partial<DirectTiledConfig> = {}): DirectTiledConfig =>
  directTiled.schema.parse({ algorithm: 'direct-tiled', ...config })

const first = (sizes: Sizes): Partial<DirectTiledConfig> | undefined => directTiled.candidates(layer(sizes), FACTS)[0]

describe('direct-tiled: what it takes', () => {
  it('unrolls 500 multiply-adds of quads, not more', () => {
    const conv = layer({ channels: 8, filters: 8, kernel: 5 })
    expect(directTiled.refusal(conv, tiled({ strip: 10, chunk: 2, rows: 'unrolled' }), FACTS)).toBeUndefined()
    expect(directTiled.refusal(conv, tiled({ strip: 11, chunk: 2, rows: 'unrolled' }), FACTS)).toBe(
      '550 multiply-adds unrolled, at most 500',
    )
    expect(directTiled.refusal(conv, tiled({ strip: 11, chunk: 8 }), FACTS)).toBeUndefined()
  })

  it('takes chunks that divide the channels of a group', () => {
    const conv = layer({ channels: 12, filters: 8, groups: 2 })
    expect(directTiled.refusal(conv, tiled({ chunk: 3 }), FACTS)).toBeUndefined()
    expect(directTiled.refusal(conv, tiled({ chunk: 4 }), FACTS)).toBe('a chunk of 4 does not divide 6 channels')
    const quads = layer({ channels: 12, filters: 8, groups: 2, layout: 'nchw4' })
    expect(directTiled.refusal(quads, tiled({ chunk: 3 }), FACTS)).toBe('a chunk of 3 channels crosses quads of nchw4')
    expect(directTiled.refusal(layer({ channels: 3, filters: 8, layout: 'nchw4' }), tiled({ chunk: 3 }), FACTS)).toBeUndefined()
  })
})

describe('direct-tiled: what it tries first', () => {
  it.each([
    ['small groups', { channels: 128, filters: 128, groups: 32, side: 56 }, { strip: 7, chunk: 4, rows: 'unrolled' }],
    ['few filters', { channels: 32, filters: 4, side: 224 }, { strip: 7, chunk: 4, rows: 'unrolled' }],
    ['three channels', { channels: 3, filters: 64, side: 224 }, { strip: 7, quads: 2, chunk: 3, rows: 'looped' }],
    ['wider groups', { channels: 512, filters: 512, groups: 32, side: 14 }, { strip: 7, quads: 2, chunk: 4, rows: 'looped' }],
    ['a large window', { channels: 3, filters: 64, side: 224, kernel: 7, stride: 2 }, { strip: 7, chunk: 3, rows: 'looped' }],
    [
      'a window too wide for a long strip',
      { channels: 3, filters: 96, side: 227, kernel: 11, stride: 4 },
      { strip: 4, chunk: 3, rows: 'looped' },
    ],
    ['one tap', { channels: 64, filters: 2, side: 256, kernel: 1 }, { strip: 8, chunk: 32 }],
  ] as const)('%s', (_, sizes, expected) => {
    expect(first(sizes)).toMatchObject(expected)
  })
})

describe('direct-tiled: plan', () => {
  const widths = (sizes: Sizes, config: Partial<DirectTiledConfig> = {}): unknown => {
    const [dispatch] = directTiled.plan(layer(sizes), tiled(config), FACTS).dispatches
    return dispatch && Object.fromEntries(operandsOf(dispatch.program).map(({ name, width }) => [name, width]))
  }

  it('loads channels in quads where chunks are quads, and stores whole quads of a group', () => {
    expect(widths({ channels: 8, filters: 8 }, { chunk: 4 })).toEqual({ x: 4, w: 4, bias: 4, y: 4 })
    expect(widths({ channels: 8, filters: 8 }, { chunk: 2 })).toEqual({ x: 1, w: 4, bias: 4, y: 4 })
    expect(widths({ channels: 8, filters: 12, groups: 2 }, { chunk: 4 })).toEqual({ x: 4, w: 4, bias: 1, y: 1 })
    expect(widths({ channels: 8, filters: 8, layout: 'nchw' }, { chunk: 4 })).toEqual({ x: 1, w: 4, bias: 1, y: 1 })
    expect(widths({ channels: 3, filters: 6, layout: 'nchw4' }, { chunk: 3 })).toEqual({ x: 4, w: 4, bias: 4, y: 4 })
  })

  it('has a line for each quad of filters of each group', () => {
    const [dispatch] = directTiled.plan(
      layer({ channels: 8, filters: 12, groups: 2, side: 9 }),
      tiled({ strip: 4 }),
      FACTS,
    ).dispatches
    expect(dispatch?.params).toMatchObject({
      lines: 4,
      group_lines: 2,
      group_quads: 2,
      strips_x: 3,
      strips_y: 9,
      invocations: 4 * 3 * 9,
    })
    expect(dispatch?.groups).toBe(2)
  })

  it('has one for two quads where it owns two, of groups with as many', () => {
    const conv = layer({ channels: 8, filters: 16, groups: 2, side: 9 })
    expect(directTiled.plan(conv, tiled({ quads: 2 }), FACTS).dispatches[0]?.params).toMatchObject({
      lines: 2,
      group_lines: 1,
      group_quads: 2,
    })
    const odd = layer({ channels: 8, filters: 24, groups: 2, side: 9 })
    expect(directTiled.refusal(odd, tiled({ quads: 2 }), FACTS)).toBe('2 quads do not divide the 3 quads of filters of a group')
  })

  it('counts what the definition does', () => {
    const conv = layer({ channels: 3, filters: 5, side: 8 })
    const macs = 64 * 5 * 3 * 9
    const bytes = 4 * (64 * 3 + 64 * 5 + 5 + 9 * 3 * 8)
    expect(directTiled.work(conv, tiled())).toEqual({ multiplications: macs, additions: macs, bytes })
    expect(directTiled.error(conv, tiled())).toBe(0)
  })
})
