/** Convolutions from one layout to another, by rule: groups that begin within a quad too. What runs is right, what cannot says so. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { OptionError } from '../../../src/errors.ts'
import { graph } from '../../../src/graph/builder.ts'
import { compile } from '../../../src/graph/model.ts'
import { openGpu, type Gpu } from '../../../src/node.ts'
import { choose } from '../../../src/ops/conv2d/choose.ts'
import { LAYOUTS } from '../../../src/ops/conv2d/convolution.ts'
import { conv2d } from '../../../src/ops/conv2d/op.ts'
import { layoutShape } from '../../../src/ops/layout.ts'
import { tensor } from '../../../src/tensor/tensor.ts'
import { inputsOf } from '../../cases/case.ts'
import { check } from '../run-table.ts'
import { convolutionAt } from './grid.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

it('every pair of layouts', async () => {
  let run = 0
  let refused = 0
  for (const layout of LAYOUTS) {
    for (const outputLayout of LAYOUTS) {
      for (const [channels, groups, filters] of [
        [6, 2, 4],
        [12, 2, 4],
        [8, 4, 8],
        [16, 2, 8],
      ] as const) {
        const inputs = [layoutShape(layout, 1, channels, [3, 3]), [filters, channels / groups, 1, 1]]
        const point = { inputs, attributes: { groups, layout, outputLayout } }
        try {
          choose(convolutionAt(point), gpu.facts)
        } catch (error) {
          expect(error).toBeInstanceOf(OptionError)
          refused++
          continue
        }
        await check(gpu, conv2d, inputsOf({ name: '', inputs, data: 'integers' }, 'f32', 3), point.attributes, true)
        run++
      }
    }
  }
  expect(run).toBeGreaterThanOrEqual(20)
  expect(run + refused).toBe(36)
})

it('a network with groups of three channels and two filters gives the same in any layout', async () => {
  const whole = (count: number, step: number): Float32Array =>
    Float32Array.from({ length: count }, (_, at) => ((at * step) % 7) - 3)
  const g = graph()
  const h = g.relu(g.input('x', 'f32', [1, 6, 4, 4]))
  const a = g.conv2d(h, tensor(whole(12, 5), [4, 3, 1, 1]), { groups: 2 })
  g.output('y', g.conv2d(a, tensor(whole(6 * 4 * 9, 3), [6, 4, 3, 3]), { padding: 1 }))
  const made = g.finish()
  const x = tensor(whole(96, 2), [1, 6, 4, 4])
  using plain = await compile(gpu, made, { layout: 'nchw' })
  const expected = await (await plain.run({ x })).y?.data()
  expect(expected?.length).toBe(96)
  for (const layout of ['auto', 'nhwc', 'nchw4'] as const) {
    using model = await compile(gpu, made, { layout })
    expect(await (await model.run({ x })).y?.data(), layout).toEqual(expected)
  }
})
