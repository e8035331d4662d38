/** Real results of Winograd on data that is hard on rounding, within the reference's tolerance: see tolerance.test.ts for what is not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { conv2d } from '../../../src/ops/conv2d/op.ts'
import { HostTensor } from '../../../src/tensor/tensor.ts'
import { randomFrom } from '../../cases/case.ts'
import { check } from '../run-table.ts'

type Draw = (random: () => number, at: number) => number

const DATA: Readonly<Record<string, Draw>> = {
  signed: (random) => 2 * random() - 1,
  'of mixed magnitudes': (random) => (2 * random() - 1) * 10 ** (12 * random() - 6),
  positive: (random) => random(),
  'all the same': () => 0.1,
  'large but for one that cancels': (_, at) => (at % 2 === 0 ? 1000.1 : -1000.2),
}

describe('the tolerance of Winograd', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  for (const [name, draw] of Object.entries(DATA)) {
    it.each([
      { channels: 64, tile: 2 },
      { channels: 64, tile: 4 },
      { channels: 512, tile: 2 },
      { channels: 512, tile: 4 },
    ] as const)(`holds for values ${name}, %o`, async ({ channels, tile }) => {
      const random = randomFrom(11)
      const of = (shape: readonly number[]): HostTensor => {
        const count = shape.reduce((product, extent) => product * extent, 1)
        return new HostTensor(
          'f32',
          shape,
          Float32Array.from({ length: count }, (_, at) => draw(random, at)),
        )
      }
      const attributes = { padding: 1, layout: 'nhwc', algorithm: { algorithm: 'winograd', tile } }
      await check(gpu, conv2d, [of([1, 7, 7, channels]), of([32, channels, 3, 3])], attributes)
      expect(gpu.memory.liveBytes).toBe(0)
    })
  }

  it('holds for transforms of small filters, by force', async () => {
    const random = randomFrom(3)
    const of = (shape: readonly number[]): HostTensor => {
      const count = shape.reduce((product, extent) => product * extent, 1)
      return new HostTensor(
        'f32',
        shape,
        Float32Array.from({ length: count }, () => 2 * random() - 1),
      )
    }
    const attributes = { groups: 3, layout: 'nchw4', padding: [0, 3, 0, 0], activation: 'silu', algorithm: 'fft' }
    await check(gpu, conv2d, [of([1, 30, 9, 8, 4]), of([96, 40, 3, 3])], attributes)
    expect(gpu.memory.liveBytes).toBe(0)
  })
})
