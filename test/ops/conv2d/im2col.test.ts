import { describe, expect, it } from 'vitest'
import { im2col, type Im2colConfig } from '../../../src/ops/conv2d/algorithms/im2col.ts'
import { FACTS } from '../facts.ts'
import { convolutionAt } from './grid.ts'

const config: Im2colConfig = { algorithm: 'im2col' }

/** Padded so that there are `side`² positions. */
function layer(side: number, channels: number, kernel: number, { groups = 1, batch = 1 } = {}) {
  const inputs = [[batch, side, side, channels], [8, channels / groups, kernel, kernel], null, null]
  return convolutionAt({ inputs, attributes: { layout: 'nhwc', groups, padding: (kernel - 1) / 2 } })
}

describe('stored patches', () => {
  it('are rows in whole quads, one for each position, picture by picture', () => {
    const { temps, dispatches } = im2col.plan(layer(6, 3, 3, { batch: 2 }), config, FACTS)
    expect(temps[0]?.shape).toEqual([1, 72, 28])
    expect(dispatches[0]).toMatchObject({ params: { quads: 504, row_quads: 7, rows: 72 }, groups: 8 })
  })

  it('are apart for groups', () => {
    const { temps } = im2col.plan(layer(6, 4, 3, { groups: 2 }), config, FACTS)
    expect(temps[0]?.shape).toEqual([2, 36, 20])
  })

  it('are counted when stored and when loaded', () => {
    const conv = layer(6, 3, 3)
    const macs = 36 * 8 * 27
    const bytes = 4 * (36 * 3 + 2 * 36 * 28 + 27 * 8 + 36 * 8)
    expect(im2col.work(conv, config)).toEqual({ multiplications: macs, additions: macs, bytes })
  })

  it('are refused where indices do not reach them', () => {
    // 2^22 positions of 512 elements.
    const limits = { ...FACTS.limits, maxStorageBufferBindingSize: 2 ** 40, maxBufferSize: 2 ** 40 }
    const roomy = { ...FACTS, limits }
    const at = (channels: number): string | undefined =>
      im2col.refusal(
        convolutionAt({
          inputs: [[1, 2048, 2048, channels], [8, channels, 2, 2], null, null],
          attributes: { layout: 'nhwc', padding: [0, 0, 1, 1] },
        }),
        config,
        roomy,
      )
    expect(at(127)).toBeUndefined()
    expect(at(128)).toBe('2147483648 elements of patches, 32-bit indices reach 2147483648')
  })

  it('are refused with their bytes where a dispatch does not bind all their segments', () => {
    // Segments of 2^27 bytes: X takes one, W one, patches 9 times X.
    const conv = layer(512, 128, 3)
    expect(im2col.refusal(conv, config, FACTS)).toBe(
      '1207959552 bytes of patches: 11 segments of tensors in one dispatch, maxStorageBuffersPerShaderStage 8',
    )
    const roomy = { ...FACTS, limits: { ...FACTS.limits, maxStorageBuffersPerShaderStage: 11 } }
    expect(im2col.refusal(conv, config, roomy)).toBeUndefined()
  })
})
