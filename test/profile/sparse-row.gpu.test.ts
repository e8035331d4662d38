/** Rows of a profile whose layers run 2:4: as such, with accesses as predicted. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { graph } from '../../src/graph/builder.ts'
import { sparseGraph } from '../../src/graph/sparsity.ts'
import { openGpu, type Gpu } from '../../src/node.ts'
import { linear } from '../../src/ops/index.ts'
import { profileModel } from '../../src/profile/profile.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { seededTensor } from '../../models/seeded.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

it('a convolution and a product', async () => {
  const g = graph()
  const weights = (name: string, shape: readonly number[]) => seededTensor(1, name, shape, { centre: 0, spread: 0.3 })
  const h = g.conv2d(g.input('x', 'f32', [1, 8, 9, 9]), weights('c', [12, 8, 3, 3]), { padding: 1, name: 'conv' })
  g.output('y', g.linear(g.flatten(g.relu(h)), weights('w', [10, 972]), { name: 'fc' }))
  const { graph: sparse } = await sparseGraph(g.finish())
  const report = await profileModel(gpu, sparse, { dataflows: 'fastest', samples: 1 })
  const rows = report.layers.map(({ name, dataflows }) => ({ name, row: dataflows.fastest }))
  expect(rows.map(({ name }) => name)).toEqual(['conv', 'fc'])
  for (const { row } of rows) {
    expect(row).toMatchObject({ verified: true, counted_equal: true })
    expect(row?.notes?.[0]).toContain('2:4')
    expect(row?.kernel?.accesses?.counted.seats?.loads).toBeGreaterThan(0)
  }
})

it('a depth of 0 is the bias', async () => {
  const empty = (shape: readonly number[]) => tensor(new Float32Array(0), shape)
  using y = await linear(gpu, empty([2, 0]), empty([3, 0]), { sparsity: '2:4', bias: tensor([1, 2, 3]) })
  expect(await y.data()).toEqual(Float32Array.of(1, 2, 3, 1, 2, 3))
})
