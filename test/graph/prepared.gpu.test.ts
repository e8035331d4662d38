/** What is prepared from weights: made once, kept in the weights' stead, shared among plans, made in every run where weights are no constants. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { graph } from '../../src/graph/builder.ts'
import { compile } from '../../src/graph/model.ts'
import { conv2d } from '../../src/ops/conv2d/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import type { HostTensor } from '../../src/tensor/tensor.ts'
import { inputsOf } from '../cases/case.ts'

const [, W] = inputsOf({ name: '', inputs: [[1], [16, 8, 3, 3]], data: 'integers' }, 'f32')
const weights = W as HostTensor
const ATTRIBUTES = { padding: 1, algorithm: 'implicit-gemm' }

function picture(height: number): HostTensor {
  const [x] = inputsOf({ name: '', inputs: [[1, 8, height, 5]], data: 'integers' }, 'f32', height)
  return x as HostTensor
}

function expected(x: HostTensor, w: HostTensor): unknown {
  return conv2d.reference([x, w, null], parseAttributes(conv2d, ATTRIBUTES))[0]?.tensor.values
}

describe('preparations', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('of constant weights are kept in their stead, once for all plans', async () => {
    const g = graph('prepared')
    g.output('y', g.conv2d(g.input('x', 'f32', [1, 8, 'h', 5]), weights, ATTRIBUTES))
    const model = await compile(gpu, g.finish())
    const held: number[] = []
    for (const height of [5, 7, 5]) {
      const x = picture(height)
      const { y } = await model.run({ x })
      expect(await y?.data()).toEqual(expected(x, weights))
      held.push(gpu.memory.liveBytes)
    }
    const packed = weights.values.byteLength
    const activations = (height: number): number => (8 + 16) * height * 5 * 4
    // Slots are rounded up to the pool's sizes; a second copy of the weights would be 4608 bytes more.
    expect(held[0]).toBeGreaterThanOrEqual(packed + activations(5))
    expect(held[1]! - held[0]!).toBeLessThan(packed)
    expect(held[2]).toBe(held[1])
    model.dispose()
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('of weights that are fed are made in every run', async () => {
    const g = graph('fed')
    g.output('y', g.conv2d(g.input('x', 'f32', [1, 8, 5, 5]), g.input('w', 'f32', [16, 8, 3, 3]), ATTRIBUTES))
    using model = await compile(gpu, g.finish())
    for (const seed of [1, 2]) {
      const [, w] = inputsOf({ name: '', inputs: [[1], [16, 8, 3, 3]], data: 'integers' }, 'f32', seed)
      const x = picture(5)
      const { y } = await model.run({ x, w: w as HostTensor })
      expect(await y?.data()).toEqual(expected(x, w as HostTensor))
    }
  })
})
