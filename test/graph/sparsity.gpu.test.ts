/** Networks whose layers run 2:4, beside the same weights run dense. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { compile } from '../../src/graph/model.ts'
import { sparseGraph } from '../../src/graph/sparsity.ts'
import { openGpu, type Gpu } from '../../src/node.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import { randomFrom } from '../cases/case.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

/** A residual network of whole numbers: convolutions with bias, batch norm's scale, a shortcut, a product. */
function network(): Graph {
  const random = randomFrom(5)
  const whole = (shape: readonly number[]): HostTensor => {
    const size = shape.reduce((count, extent) => count * extent, 1)
    return tensor(
      Float32Array.from({ length: size }, () => Math.floor(random() * 5) - 2),
      shape,
    )
  }
  const g = graph()
  const x = g.input('x', 'f32', [2, 3, 9, 9])
  const a = g.relu(g.conv2d(x, whole([8, 3, 3, 3]), { padding: 1, name: 'first' }))
  const b = g.relu(g.conv2d(a, whole([8, 8, 3, 3]), { padding: 1, bias: whole([8]), name: 'second' }))
  const c = g.relu(g.add(a, g.conv2d(b, whole([8, 8, 1, 1]), { name: 'third' })))
  g.output('y', g.linear(g.flatten(g.maxPool(c, { kernel: [3, 3], stride: [3, 3] })), whole([5, 72]), { name: 'last' }))
  return g.finish()
}

it('2:4 computes what the pruned network computes dense, bit for bit on whole numbers', async () => {
  const dense = network()
  const { graph: sparse, report } = await sparseGraph(dense)
  expect(report.layers.map(({ name }) => name)).toEqual(['second', 'third', 'last'])
  const pruned = { ...sparse, nodes: dense.nodes }
  const x = tensor(
    Float32Array.from({ length: 2 * 3 * 81 }, (_, at) => (at % 7) - 3),
    [2, 3, 9, 9],
  )
  using expected = await compile(gpu, pruned)
  using model = await compile(gpu, dense, { sparsity: '2:4' })
  const reasons = model.plan().filter(({ plan }) => plan.reason.includes('2:4'))
  expect(reasons.length).toBe(3)
  const [wanted, got] = [(await expected.run({ x })).y, (await model.run({ x })).y]
  const values = await wanted?.data()
  expect(values?.length).toBe(10)
  expect(new Set(Array.from(values ?? [], Number)).size).toBeGreaterThan(3)
  expect(await got?.data()).toEqual(values)
  using found = await compile(gpu, pruned, { sparsity: 'auto' })
  expect(found.plan().filter(({ plan }) => plan.reason.includes('2:4')).length).toBe(1)
  expect(await (await found.run({ x })).y?.data()).toEqual(values)
})

it('in f16, and refused where nothing can', async () => {
  using model = await compile(gpu, network(), { sparsity: '2:4', precision: 'f16' })
  const { y } = await model.run({ x: tensor(new Float32Array(2 * 3 * 81).fill(0.5), [2, 3, 9, 9]) })
  expect((await y?.data())?.length).toBe(10)
  const g = graph()
  g.output('y', g.relu(g.input('x', 'f32', [4])))
  await expect(compile(gpu, g.finish(), { sparsity: '2:4' })).rejects.toThrow('nothing to prune')
})
