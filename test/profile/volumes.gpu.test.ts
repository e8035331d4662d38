/** Convolutions over three axes and transposed ones in a model: inspected, profiled, run and verified. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seededTensor } from '../../models/seeded.ts'
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { inspectGraph } from '../../src/profile/inspect.ts'
import { profileModel } from '../../src/profile/profile.ts'
import { verifyModel } from '../../src/profile/verify.ts'
import { tensor } from '../../src/tensor/tensor.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => {
  expect(gpu.memory.liveBytes).toBe(0)
  gpu.dispose()
})

const MACS = { conv: 2 * 5 * (3 * 3 * 2) * (5 * 6 * 4), up: 5 * 3 * 8 * (5 * 6 * 4), bytes: 3 * 2 * 27 * (8 * 10 * 6) }

/** A volume of two channels, 5×6×4: a convolution, a transposed one twice as large, and a convolution of bytes. */
function network(): Graph {
  const g = graph('volumes')
  const weights = (seed: number, shape: number[]): ReturnType<typeof seededTensor> =>
    seededTensor(seed, 'w', shape, { centre: 0, spread: 0.3 })
  const x = g.input('x', 'f32', [1, 2, 5, 6, 4])
  const y = g.conv2d(x, weights(1, [5, 2, 3, 3, 2]), {
    name: 'conv',
    bias: weights(2, [5]),
    pads: [1, 1, 0, 1, 1, 1],
    activation: 'relu',
  })
  const up = g.convTranspose2d(y, weights(3, [5, 3, 2, 2, 2]), { name: 'up', strides: [2, 2, 2] })
  g.output('y', up)
  const bytes = g.quantizeLinear(up, tensor([0.05]), { zeroPoint: tensor([3], [], 'i8') })
  const filters = tensor(
    Array.from({ length: 2 * 3 * 27 }, (_, i) => (i % 17) - 8),
    [2, 3, 3, 3, 3],
    'i8',
  )
  g.output('z', g.convInteger(bytes, filters, { name: 'bytes', xZeroPoint: tensor([3], [], 'i8') }))
  return g.finish()
}

test('an inspection counts them', () => {
  const report = inspectGraph(network())
  expect(report.layers.find(({ name }) => name === 'conv')).toMatchObject({
    macs: MACS.conv,
    weights: 180,
    biases: 5,
    kind: 'conv',
  })
  expect(report.layers.find(({ name }) => name === 'up')).toMatchObject({ macs: MACS.up, weights: 120, kind: 'conv' })
  expect(report.layers.find(({ name }) => name === 'bytes')).toMatchObject({ macs: MACS.bytes, weights: 162, kind: 'conv' })
})

test('a profile runs their own kernels, and says what no dataflow runs', async () => {
  const report = await profileModel(gpu, network(), { dataflows: ['fastest', 'ws'], samples: 1 })
  expect(report.complete).toBe(true)
  expect(Object.fromEntries(report.layers.map(({ name, macs }) => [name, macs]))).toEqual(MACS)
  for (const { name, dataflows } of report.layers) {
    expect(dataflows['fastest']?.verified, `${name}: ${dataflows['fastest']?.skipped}`).toBe(true)
    expect(dataflows['ws']?.skipped).toMatch(/^Not profiled: this is a .*convolution.* no dataflow runs; ask for fastest/)
  }
})

test('a run agrees with the reference, node by node', async () => {
  const { nodes } = await verifyModel(gpu, network(), { x: seededTensor(9, 'x', [1, 2, 5, 6, 4], { centre: 0, spread: 1 }) })
  expect(nodes.length).toBeGreaterThan(3)
  expect(nodes.filter(({ ok }) => !ok)).toEqual([])
})
