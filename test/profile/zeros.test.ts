/** Zeros measured where they are: among the activations that reach a layer. */
import { expect, test } from 'vitest'
import { runLengthDecode, runLengthEncode } from '../../src/cost/compression.ts'
import { graph } from '../../src/graph/builder.ts'
import { layerPlans } from '../../src/profile/layers.ts'
import { measuredZeros, zerosOfLayer } from '../../src/profile/zeros.ts'
import { tensor } from '../../src/tensor/tensor.ts'

test('part and ratio of known values', () => {
  expect(measuredZeros([0, 0, 3, 0])).toEqual({ part: 0.75, ratio: 64 / (4 * 16) })
  expect(measuredZeros([1, 2, 3, 4])).toEqual({ part: 0, ratio: (2 * 64) / (4 * 16) })
  expect(measuredZeros([])).toEqual({ part: 0, ratio: 1 })
})

test('the ratio is that of the encoder', () => {
  const values = Int16Array.from({ length: 1000 }, (_, i) => ((i * 7919) % 11 < 7 ? 0 : i))
  const words = runLengthEncode(values)
  expect(runLengthDecode(words, values.length)).toEqual(values)
  expect(measuredZeros(values).ratio).toBe((words.length * 64) / (16 * 1000))
})

test('after a rectifier a good part of the activations is zero, of the picture nothing', async () => {
  const g = graph()
  const weights = (filters: number, channels: number) =>
    tensor(
      Float32Array.from({ length: filters * channels * 9 }, (_, i) => Math.sin(12.9898 * (i + 1))),
      [filters, channels, 3, 3],
    )
  const hidden = g.conv2d(g.input('x', 'f32', [1, 2, 12, 12]), weights(8, 2), { activation: 'relu', name: 'first' })
  g.output('y', g.conv2d(hidden, weights(4, 8), { name: 'second' }))
  const network = g.finish()
  const names = layerPlans(network).map(({ name }) => name)
  const [first = '', second = ''] = names
  expect(names.length).toBe(2)
  expect((await zerosOfLayer(network, first)).part).toBe(0)
  const after = await zerosOfLayer(network, second)
  expect(after.part).toBeGreaterThan(0.1)
  expect(after.part).toBeLessThan(0.9)
  expect(after.ratio).toBeLessThan(4 / 3)
  await expect(zerosOfLayer(network, 'third')).rejects.toThrow('third')
})
