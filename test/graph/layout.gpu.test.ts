/** Nets in all layouts give what they give in nchw. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { compile } from '../../src/graph/model.ts'
import type { Layout } from '../../src/ops/layout.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { randomFrom } from '../cases/case.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

function values(shape: readonly number[], seed: number): HostTensor<'f32'> {
  const random = randomFrom(seed)
  return new HostTensor(
    'f32',
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random() - 0.5),
  )
}

/** Concat of channels, pooling, residual, broadcast constants and a squeeze-and-excite gate, to a classifier and a map. */
function net(channels: number): Graph {
  const g = graph('net')
  const x = g.input('x', 'f32', [2, 3, 13, 11])
  const a = g.relu(g.conv2d(x, values([channels, 3, 3, 3], 1), { bias: values([channels], 2), padding: 1 }))
  const b = g.relu(g.conv2d(a, values([channels + 2, channels, 1, 1], 3)))
  const c = g.conv2d(a, values([6, channels, 3, 3], 4), { padding: 1, stride: 1 })
  const joined = g.concat([b, c, a], { axis: 1 })
  const all = 2 * channels + 8
  const scaled = g.add(g.mul(joined, values([all, 1, 1], 5)), values([1, all, 1, 1], 6))
  const pooled = g.maxPool(scaled, { kernel: 3, stride: 2, padding: 1, ceilMode: true })
  const depthwise = g.conv2d(pooled, values([all, 1, 3, 3], 7), { padding: 1, groups: all })
  const gate = g.sigmoid(g.conv2d(g.globalAveragePool(depthwise), values([all, all, 1, 1], 8)))
  const gated = g.mul(depthwise, gate)
  const normal = g.lrn(gated, { size: 3, alpha: 0.5 })
  const padded = g.pad(g.averagePool(normal, { kernel: 2 }), { pads: [0, 0, 1, 0, 0, 0, 0, 2] })
  const cut = g.slice(padded, { starts: [1, 0], ends: [9, 3], axes: [3, 2] })
  const map = g.conv2d(cut, values([5, all, 1, 1], 9))
  g.output('map', g.softmax(map, { axis: 1 }))
  g.output('classes', g.softmax(g.linear(g.flatten(g.globalAveragePool(gated)), values([7, all], 10))))
  g.output('joined', joined)
  return g.finish()
}

async function results(
  given: Graph,
  layout: 'auto' | Layout,
  on: Gpu = gpu,
  precision: 'f32' | 'f16' = 'f32',
): Promise<Map<string, HostTensor>> {
  using model = await compile(on, given, { layout, precision })
  const outputs = await model.run({ x: values([2, 3, 13, 11], 11) })
  const plan = model.plan()
  const lain = plan.flatMap(({ node }) => (typeof node.attributes.layout === 'string' ? [node.attributes.layout] : []))
  if (layout === 'nchw') expect(lain.filter((own) => own !== 'nchw')).toEqual([])
  else if (layout !== 'auto') expect(lain.filter((own) => own === layout).length).toBeGreaterThan(5)
  // What only the concat uses is written where it belongs; quads of 10 and 6 channels would not follow one another.
  expect(plan.some(({ node }) => node.attributes.place !== undefined)).toBe(layout !== 'nchw4')
  return new Map(
    await Promise.all(
      Object.entries(outputs).map(async ([name, tensor]) => {
        return [name, new HostTensor('f32', tensor.shape, Float32Array.from((await tensor.data()) as Float32Array))] as const
      }),
    ),
  )
}

describe.each([8, 5])('a net of %i channels', (channels) => {
  it('is the same in all layouts', async () => {
    const given = net(channels)
    const plain = await results(given, 'nchw')
    expect([...plain.keys()].toSorted()).toEqual(['classes', 'joined', 'map'])
    for (const layout of ['auto', 'nhwc', 'nchw4'] as const) {
      const other = await results(given, layout)
      expect([...other.keys()].toSorted()).toEqual([...plain.keys()].toSorted())
      for (const [name, expected] of plain) {
        const actual = other.get(name)
        expect(actual?.shape).toEqual(expected.shape)
        const worst = Math.max(
          ...Array.from({ length: sizeOf(expected.shape) }, (_, i) =>
            Math.abs(Number(expected.values[i]) - Number(actual?.values[i])),
          ),
        )
        expect(worst, `${layout} ${name}`).toBeLessThan(1e-5)
      }
    }
  })
})

/** The largest difference of two results, by output. */
function worst(actual: Map<string, HostTensor>, expected: Map<string, HostTensor>): number {
  expect([...actual.keys()]).toEqual([...expected.keys()])
  const differences = [...expected].flatMap(([name, { shape, values: wanted }]) => {
    return Array.from({ length: sizeOf(shape) }, (_, i) => Math.abs(Number(wanted[i]) - Number(actual.get(name)?.values[i])))
  })
  expect(differences.length).toBeGreaterThan(1000)
  return Math.max(...differences)
}

it('in halves differs by their roundings', async () => {
  const given = net(8)
  const plain = await results(given, 'nchw')
  const halves = await results(given, 'nhwc', gpu, 'f16')
  expect(worst(halves, plain)).toBeLessThan(2 ** -6)
})

it('in several segments is the same', async () => {
  // The joined map has 24 channels of 143 positions and two pictures: 27 KiB.
  using small = await openGpu({ limits: { maxStorageBufferBindingSize: 16384, maxBufferSize: 16384 } })
  const given = net(8)
  const plain = await results(given, 'nchw')
  for (const layout of ['nhwc', 'nchw4'] as const) expect(worst(await results(given, layout, small), plain)).toBeLessThan(1e-5)
})

it('refuses a layout that there is not', async () => {
  const wrong: object = { layout: 'nwhc' }
  await expect(compile(gpu, net(8), wrong)).rejects.toThrow(/no layout nwhc.*nchw4/)
})
