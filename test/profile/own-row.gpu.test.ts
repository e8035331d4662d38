/** Products of quantised operands in a profile and in an inspection: none is left out, and each says what it did and why. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seededTensor } from '../../models/seeded.ts'
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { quantizeWeights } from '../../src/precision/weights.ts'
import { inspectGraph } from '../../src/profile/inspect.ts'
import { profileModel } from '../../src/profile/profile.ts'
import { expectedMs } from '../../src/profile/own-row.ts'
import { macsOf } from '../../src/schedule/problem.ts'
import { tensor } from '../../src/tensor/tensor.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => {
  expect(gpu.memory.liveBytes).toBe(0)
  gpu.dispose()
})

/** x [3, 40] through weights of 4 bits, then through bytes. */
function network(): Graph {
  const g = graph('quantised')
  const x = g.input('x', 'f32', [3, 40])
  const weights = quantizeWeights(seededTensor(1, 'w', [24, 40], { centre: 0, spread: 1 }), { symmetric: false })
  const { packed, scales, zeroPoints, bits, blockSize } = weights
  const y = g.matmulNBits(x, packed, scales, {
    name: 'nbits',
    bits,
    blockSize,
    bias: seededTensor(2, 'b', [24], { centre: 0, spread: 1 }),
    ...(zeroPoints === undefined ? {} : { zeroPoints }),
  })
  const bytes = g.quantizeLinear(y, tensor([0.1]), { zeroPoint: tensor([3], [1], 'i8') })
  const b = tensor(
    Array.from({ length: 24 * 10 }, (_, i) => (i % 17) - 8),
    [24, 10],
    'i8',
  )
  const [one, zero] = [tensor([0.25]), tensor([0], [1], 'i8')]
  g.output('q', g.node('qlinearMatmul', [bytes, one, zero, b, one, zero, tensor([2]), zero], { name: 'qlinear' }))
  g.output('z', g.matmulInteger(bytes, b, { name: 'integer' }))
  return g.finish()
}

test('their default kernels are run, verified, timed and put under the roof', async () => {
  const report = await profileModel(gpu, network(), { dataflows: ['fastest', 'ws'], samples: 2 })
  expect(report.batch).toBe(3)
  expect(report.complete).toBe(true)
  expect(report.layers.map(({ name, macs }) => [name, macs])).toEqual([
    ['nbits', 3 * 40 * 24],
    ['qlinear', 3 * 24 * 10],
    ['integer', 3 * 24 * 10],
  ])
  for (const { name, problem, dataflows } of report.layers) {
    const row = dataflows['fastest']
    expect(row?.verified, `${name}: ${row?.notes?.join('; ')} ${row?.skipped}`).toBe(true)
    expect(row?.gflops).toBeCloseTo((2 * macsOf(problem)) / (row?.time_ms ?? NaN) / 1e6, 6)
    expect(row?.roofline?.operations).toBe(2 * macsOf(problem))
    // Of bytes no peak was measured: they are held under the bandwidth alone.
    expect(row?.roofline?.peak).toBe(name === 'nbits' ? undefined : 'none')
    expect(row?.expected_ms).toBeGreaterThan(0)
    expect(row?.notes?.[0]).toMatch(/rows|tiles|software/)
    expect(dataflows['ws']?.skipped).toMatch(/^Not profiled: .*quantised.*fastest/)
  }
})

test('in f16', async () => {
  const report = await profileModel(gpu, network(), { dataflows: 'fastest', precision: 'f16', samples: 1 })
  for (const { name, dataflows } of report.layers) expect(dataflows['fastest']?.verified, name).toBe(true)
})

test('expected: the slower of arithmetic and traffic, and the launches', () => {
  const peaks = { flops: { f32: 1e12 }, bytes_per_s: 1e11, launch_ms: 0.25, shapes: { f32: '', copy: '' } }
  expect(expectedMs({ operations: 4e9, bytes: 1e8, dispatches: 2 }, peaks)).toBeCloseTo(4.5, 9)
  expect(expectedMs({ operations: 1e9, bytes: 3e8, dispatches: 1 }, peaks)).toBeCloseTo(3.25, 9)
  expect(expectedMs({ operations: 4e9, bytes: 1e8, dispatches: 1, accumulate: 'i32' }, peaks)).toBeCloseTo(1.25, 9)
})

test('an inspection counts their weights, multiply-adds and biases', () => {
  const report = inspectGraph(network())
  expect(report.layers.find(({ name }) => name === 'nbits')).toMatchObject({ macs: 2880, weights: 960, biases: 24, kind: 'fc' })
  expect(report.layers.find(({ name }) => name === 'integer')).toMatchObject({ macs: 720, weights: 0, kind: 'fc' })
  // It shares its matrix with `qlinear`, where it is counted.
  expect(report.layers.find(({ name }) => name === 'qlinear')).toMatchObject({ macs: 720, weights: 240, kind: 'fc' })
  expect(report).toMatchObject({ macs: 4320, weights: 1200, fc: { layers: 3, macs: 4320, weights: 1200 } })
})

test('an inspection shows the filters of convolutions that only their own kernels run', () => {
  const g = graph('own')
  const x = g.input('x', 'f32', [1, 4, 6, 6, 6])
  const w = seededTensor(1, 'w', [8, 4, 3, 3, 3], { centre: 0, spread: 1 })
  g.output('y', g.conv2d(x, w, { name: 'deep', stride: [1, 2, 2] }))
  const up = seededTensor(2, 'u', [4, 3, 2, 2], { centre: 0, spread: 1 })
  g.output('z', g.node('convTranspose2d', [g.input('p', 'f32', [1, 4, 5, 5]), up], { name: 'up', strides: [2, 2], group: 2 }))
  const [deep, transposed] = inspectGraph(g.finish()).layers
  expect(deep).toMatchObject({ kind: 'conv', filters: { number: 8, shape: [4, 3, 3, 3], stride: [1, 2, 2], groups: 1 } })
  expect(transposed).toMatchObject({ kind: 'conv', filters: { number: 6, shape: [2, 2, 2], stride: [2, 2], groups: 2 } })
  expect(deep).not.toHaveProperty('problem')
})
